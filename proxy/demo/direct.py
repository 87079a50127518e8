"""The cluster without kubectl: what is in the kubeconfig, done by hand. The plugin's certificate, one TLS connection,
one request, and the answer in a line or two.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from proxy.demo.engineer import Engineer, Said
from proxy.demo.story import Request

TIMEOUT_SECONDS = 20.0
MAX_ANSWER = 4 << 20
"""Bytes; what the sandbox holds is a few KiB."""
MAX_SHOWN = 8
"""Names of a list, or lines of a log."""


class PluginError(Exception):
    """The kubeconfig or the plugin's answer is not what kubectl would work with."""


@dataclass(frozen=True, slots=True)
class Direct:
    """One person's way to one cluster."""

    server: str
    ca_pem: str
    certificate_pem: str = field(repr=False)
    key_pem: str = field(repr=False)

    def send(self, request: Request) -> Said:
        """The status and what matters of the answer, as a command would say it. Raises OSError. Blocks."""
        place = urlsplit(self.server)
        connection = http.client.HTTPSConnection(
            place.hostname or "", place.port, timeout=TIMEOUT_SECONDS, context=self.context()
        )
        headers = {"Accept": "application/json", "User-Agent": "kwit-demo", **dict(request.headers)}
        if request.body:
            headers["Content-Type"] = request.content_type
        try:
            connection.request(request.method, place.path + request.path, request.body.encode() or None, headers)
            answer = connection.getresponse()
            return said(answer.status, answer.reason, answer.read(MAX_ANSWER))
        except http.client.HTTPException as error:
            raise ConnectionError(f"no answer that can be read: {error!r}") from error
        finally:
            connection.close()

    def context(self) -> ssl.SSLContext:
        """Who this person is, and whom they trust."""
        context = ssl.create_default_context(cadata=self.ca_pem)
        # the module reads a key from a file only; this one is ours alone and gone at once
        with tempfile.NamedTemporaryFile("w", suffix=".pem", encoding="ascii") as pair:
            pair.write(self.certificate_pem + self.key_pem)
            pair.flush()
            context.load_cert_chain(pair.name)
        return context


async def connect(engineer: Engineer) -> Direct:
    """As kubectl begins: read the kubeconfig, run its plugin. Raises PluginError, OSError."""
    server, ca_pem, command = read_kubeconfig(engineer.kubeconfig)
    answer = await engineer.run(command)
    if answer.code:
        raise PluginError(answer.err.strip() or f"{command[0]} failed")
    certificate, key = read_credential(answer.out)
    return Direct(server, ca_pem, certificate, key)


def read_kubeconfig(path: Path) -> tuple[str, str, list[str]]:
    """Server, CA and the plugin's command line of the current context. Raises PluginError."""
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        context = _named(config, "contexts", config["current-context"])["context"]
        cluster = _named(config, "clusters", context["cluster"])["cluster"]
        plugin = _named(config, "users", context["user"])["user"]["exec"]
        ca_pem = base64.b64decode(cluster["certificate-authority-data"]).decode("ascii")
        return str(cluster["server"]), ca_pem, [str(plugin["command"]), *map(str, plugin["args"])]
    except (OSError, ValueError, LookupError, TypeError, StopIteration, yaml.YAMLError) as error:
        raise PluginError(f"{path} is not the kubeconfig that `kwit login` writes: {error!r}") from error


def read_credential(text: str) -> tuple[str, str]:
    """Certificate and key of an ExecCredential. Raises PluginError."""
    try:
        status = json.loads(text)["status"]
        return str(status["clientCertificateData"]), str(status["clientKeyData"])
    except (ValueError, LookupError, TypeError) as error:
        raise PluginError("the plugin's answer is no ExecCredential with a certificate") from error


def said(status: int, reason: str, body: bytes) -> Said:
    """An answer in a line or two: the names of a list, the name of an object, the message of a Status, a text."""
    head = f"{status} {reason}"
    try:
        answer = json.loads(body)
    except ValueError:
        lines = body.decode(errors="replace").splitlines()
        return Said(int(status >= 400), "\n".join([head, *lines[:MAX_SHOWN]]) + "\n")
    words = _summary(answer) if isinstance(answer, dict) else ""
    line = f"{head}{': ' if words else ''}{words}\n"
    return Said(1, "", line) if status >= 400 else Said(0, line)


def _summary(answer: Mapping[str, Any]) -> str:
    kind = str(answer.get("kind", "answer"))
    if kind == "Status":
        return str(answer.get("message", ""))
    items = answer.get("items")
    if isinstance(items, list):
        names = [_name(item) for item in items[:MAX_SHOWN]]
        more = len(items) - len(names)
        return f"{kind} of {', '.join(names) or 'nothing'}{f' and {more} more' if more else ''}"
    user = answer.get("status", {}).get("userInfo") if isinstance(answer.get("status"), dict) else None
    if isinstance(user, dict):
        return f"{kind} {user.get('username')} ({', '.join(map(str, user.get('groups') or ()))})"
    return f"{kind} {_name(answer)}".rstrip()


def _name(item: Any) -> str:
    metadata = item.get("metadata") if isinstance(item, dict) else None
    return str(metadata.get("name", "")) if isinstance(metadata, dict) else ""


def _named(config: Mapping[str, Any], section: str, name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(entry for entry in config[section] if entry["name"] == name)
    return found
