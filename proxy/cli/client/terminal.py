"""The person at the terminal, and the clock: what the engineer's commands hand to everything else."""

from __future__ import annotations

import json
import os
import sys
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from proxy.cli.client import key, saved_login
from proxy.cli.client.api import Api
from proxy.cli.client.problem import Problem
from proxy.cli.client.saved_login import SavedLogin
from proxy.cli.client.sign_in import Person


def clock() -> float:
    return time.time()  # noqa: TID251 - the commands' one clock


def say(text: str) -> None:
    """To stderr: stdout is for answers."""
    click.echo(text, err=True)


def person() -> Person:
    return Person(say, _open, _ask)


def someone_is_there() -> bool:
    """Whether kubectl says that the plugin may ask, or a person runs it by hand."""
    info = os.environ.get("KUBERNETES_EXEC_INFO", "")  # noqa: TID251 - the plugin's protocol
    if not info:
        return sys.stdin.isatty() and sys.stderr.isatty()
    try:
        return json.loads(info)["spec"]["interactive"] is True and sys.stderr.isatty()
    except (ValueError, LookupError, TypeError):
        return False


def _ask(text: str) -> str:
    """Raises Problem where nothing can be typed, Abort where a person does not want to."""
    try:
        return str(click.prompt(text, err=True))
    except click.Abort:
        if sys.stdin.isatty():
            raise
        raise Problem("nothing was pasted, and there is no terminal to paste into; run it on one") from None


def _open(url: str) -> bool:
    with _stdout_is_stderr():
        try:
            return webbrowser.open(url)
        except webbrowser.Error:
            return False


@contextmanager
def _stdout_is_stderr() -> Iterator[None]:
    """A browser's chatter must not get into what kubectl parses."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def signed_in(server: str | None) -> tuple[SavedLogin, Api]:
    """The stored login and a way to speak for it. Raises NotSignedIn."""
    login, pem = saved_login.load(server)
    return login, Api(login.server, clock, login.ca_pem, key.from_pem(pem), login.id, login.clock_offset)


def read_ca(file: str | None) -> str | None:
    """A CA file's text. Raises Problem."""
    if file is None:
        return None
    try:
        text = Path(file).read_text(encoding="ascii")
    except OSError as error:
        raise Problem(f"{file}: {error.strerror}; give the file of the server's CA") from error
    except UnicodeDecodeError as error:
        raise Problem(f"{file} holds no certificate in PEM; give the file of the server's CA") from error
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise Problem(f"{file} holds no certificate in PEM; give the file of the server's CA")
    return text
