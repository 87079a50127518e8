"""Where the client keeps things, and the answer to kubectl while a certificate is fresh.

This is the warm path of every kubectl call: it imports `json`, `os`, `sys`, `time` and nothing else.

    HOME/current                 the server that commands without --server mean
    HOME/<server>/login.json     the login; key.pem its private key; lock what renewal and login wait for
    HOME/<server>/certificates/<cluster>.json    the plugin's answer, with the client's own times around it
"""

# pathlib costs a tenth of the warm path's time, so:
# ruff: noqa: PTH111, PTH118, PTH123

from __future__ import annotations

import json
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CLOCK_BACK_SECONDS = 60
"""A certificate written this far in the future means that the clock was set back: ask anew."""


def home() -> str:
    """The client's folder: $KWIT_HOME, or `kwit` where the platform keeps a user's configuration."""
    environ = os.environ  # noqa: TID251 - the client's one place for it
    if environ.get("KWIT_HOME"):
        return environ["KWIT_HOME"]
    if sys.platform == "win32":
        return os.path.join(environ.get("APPDATA") or os.path.expanduser("~"), "kwit")
    if sys.platform == "darwin":
        return os.path.expanduser("~/Library/Application Support/kwit")
    return os.path.join(environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config"), "kwit")


def folder(server: str) -> str:
    """The folder of one server; two URLs never share one."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in ".-") else f"_{ord(c):x}_" for c in server)
    return os.path.join(home(), plain.replace("https_3a__2f__2f_", "").replace("http_3a__2f__2f_", "http_"))


def current_server() -> str | None:
    """The server of the last `kwit login`, or None."""
    try:
        with open(os.path.join(home(), "current"), encoding="utf-8") as file:
            return file.read().strip() or None
    except OSError:
        return None


def certificate_path(server: str, cluster: str) -> str:
    return os.path.join(folder(server), "certificates", f"{cluster}.json")


def answer(args: list[str]) -> str | None:
    """The ExecCredential while its certificate is younger than four fifths of its life; else None: ask properly."""
    options = _options(args)
    if options is None or not _plain(options.get("--cluster", "")):
        return None
    server = options.get("--server") or current_server()
    now = time.time()  # noqa: TID251 - the warm path is its own composition root
    return None if server is None else fresh(certificate_path(server, options["--cluster"]), now)


def fresh(path: str, now: float) -> str | None:
    """The stored answer, if the certificate need not be renewed at `now` (the client's clock)."""
    stored = load(path)
    if stored is None or not stored["written"] - CLOCK_BACK_SECONDS <= now < stored["renew"]:
        return None
    return str(stored["answer"])


def load(path: str) -> dict[str, Any] | None:
    """What `store` wrote, or None for anything else."""
    try:
        with open(path, encoding="utf-8") as file:
            stored = json.load(file)
        ok = isinstance(stored["answer"], str) and all(
            isinstance(stored[key], (int, float)) for key in ("written", "renew", "expires")
        )
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return stored if ok else None


def _plain(name: str) -> bool:
    """A cluster's name becomes a file's name: nothing else may get there."""
    return 0 < len(name) <= 253 and name[0] != "." and all(c.isascii() and (c.isalnum() or c in "._-") for c in name)


def _options(args: list[str]) -> dict[str, str] | None:
    """`--cluster NAME --server URL` in either spelling; None for whatever else a person may type."""
    found: dict[str, str] = {}
    rest = list(args)
    while rest:
        key, equals, value = rest.pop(0).partition("=")
        if key not in ("--cluster", "--server") or (not equals and not rest):
            return None
        found[key] = value if equals else rest.pop(0)
    return found
