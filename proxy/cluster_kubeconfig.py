"""A kubeconfig context as a cluster's address and kwit's own credential for it.

Follows client-go: `…-data` wins over the file, relative paths start at the kubeconfig's directory, `tokenFile` wins
over `token`. Refused with a sentence, because kwit would have to trust more than it is told:
`insecure-skip-tls-verify`, `proxy-url`, `as*`, user name with password, `auth-provider`, a cluster without a CA.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from auth.placed_yaml import YamlError, read_yaml
from proxy.cluster_credentials import (
    CertificateFiles,
    CredentialError,
    Fixed,
    Material,
    Source,
    TokenFile,
    read_bounded,
)
from proxy.config_types import server_url
from proxy.exec_plugin import ExecPlugin, InstallHint

_REFUSED_CLUSTER = {
    "insecure-skip-tls-verify": "kwit always checks the API server's certificate; put its CA into the kubeconfig",
    "proxy-url": "kwit reaches clusters directly; give a server URL that it can reach",
}
_REFUSED_USER = {
    "username": "API servers take no passwords any more; use a token, a certificate or an exec plugin",
    "password": "API servers take no passwords any more; use a token, a certificate or an exec plugin",
    "auth-provider": "kubectl dropped it in 1.26; use an exec plugin",
    "as": "kwit impersonates by itself; use a context without it",
    "as-uid": "kwit impersonates by itself; use a context without it",
    "as-groups": "kwit impersonates by itself; use a context without it",
    "as-user-extra": "kwit impersonates by itself; use a context without it",
}


@dataclass(frozen=True, slots=True)
class ContextEntry:
    """What a context says about a cluster."""

    server: str
    ca_pem: str
    tls_server_name: str | None
    source: Source


def read_context(path: Path, context: str | None) -> ContextEntry:
    """The context named `context` (None: the current one) of the kubeconfig at `path`. Raises CredentialError."""
    try:
        document = read_yaml(read_bounded(path).decode("utf-8-sig")).value
    except YamlError as error:
        raise CredentialError(f"{path}:{error.line}: {error.message}") from error
    except UnicodeDecodeError as error:
        raise CredentialError(f"{path} is not UTF-8 text") from error
    if not isinstance(document, dict):
        raise CredentialError(f"{path} is not a kubeconfig: it has no keys")
    return _Reading(path, document).entry(context)


@dataclass(frozen=True, slots=True)
class _Reading:
    path: Path
    document: Mapping[str, object]

    def entry(self, name: str | None) -> ContextEntry:
        chosen = name or self._text(self.document, "current-context")
        if not chosen:
            raise self._error("has no current-context; name one with --context")
        context = self._named("contexts", "context", chosen)
        cluster = self._named("clusters", "cluster", self._text(context, "cluster") or "")
        user = self._named("users", "user", self._text(context, "user") or "")
        self._refuse(cluster, _REFUSED_CLUSTER)
        self._refuse(user, _REFUSED_USER)
        try:
            server = server_url(self._text(cluster, "server"))
        except ValueError as error:
            raise self._error(f"names a server that kwit cannot use: expected {error}") from error
        ca = self._bytes(cluster, "certificate-authority")
        if ca is None:
            raise self._error(
                "has no certificate-authority for this cluster; kwit pins it and does not use the system's"
            )
        name_for_tls = self._text(cluster, "tls-server-name")
        return ContextEntry(server, ca.decode("ascii", "replace"), name_for_tls, self._source(user))

    def _source(self, user: Mapping[str, object]) -> Source:
        plugin = user.get("exec")
        if isinstance(plugin, dict):
            return self._plugin(plugin)
        token_file = self._text(user, "tokenFile")
        if token_file:
            return TokenFile(self._beside(token_file))
        token = self._text(user, "token")
        if token:
            return Fixed(Material(token=token))
        certificate, key = self._text(user, "client-certificate"), self._text(user, "client-key")
        if certificate and key and not user.get("client-certificate-data") and not user.get("client-key-data"):
            return CertificateFiles(self._beside(certificate), self._beside(key))
        pem, key_pem = self._bytes(user, "client-certificate"), self._bytes(user, "client-key")
        if pem is None or key_pem is None:
            raise self._error("gives this user no token, no client certificate with its key, and no exec plugin")
        return Fixed(Material(certificate_pem=pem, key_pem=key_pem))

    def _plugin(self, stanza: Mapping[str, object]) -> ExecPlugin:
        command = self._text(stanza, "command")
        if not command:
            raise self._error("has an exec plugin without a command")
        args, env = stanza.get("args") or [], stanza.get("env") or []
        if not isinstance(args, list) or not isinstance(env, list):
            raise self._error("has an exec plugin whose args or env is not a list")
        pairs = [(str(item.get("name", "")), str(item.get("value", ""))) for item in env if isinstance(item, dict)]
        if self._text(stanza, "interactiveMode") == "Always":
            raise self._error("has an exec plugin that wants a person (interactiveMode: Always); kwit has none to ask")
        program = str(self._beside(command)) if "/" in command else command
        hint = InstallHint(self._text(stanza, "installHint") or "")
        version = self._text(stanza, "apiVersion") or ""
        return ExecPlugin(version, (program, *map(str, args)), tuple(pairs), hint)

    def _named(self, plural: str, singular: str, name: str) -> Mapping[str, object]:
        entries = self.document.get(plural) or []
        found = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
        for entry in found:
            if entry.get("name") == name:
                body = entry.get(singular) or {}
                return body if isinstance(body, dict) else {}
        known = ", ".join(sorted(str(entry.get("name")) for entry in found)) or "none"
        raise self._error(f"has no {singular} named {name!r}; it has: {known[:200]}")

    def _refuse(self, section: Mapping[str, object], reasons: Mapping[str, str]) -> None:
        for key, reason in reasons.items():
            if section.get(key):
                raise self._error(f"has {key} for this context: {reason}")

    def _bytes(self, section: Mapping[str, object], key: str) -> bytes | None:
        data = self._text(section, f"{key}-data")
        if data:
            try:
                return base64.b64decode("".join(data.split()), validate=True)
            except (binascii.Error, ValueError) as error:
                raise self._error(f"has a {key}-data that is not base64") from error
        name = self._text(section, key)
        return read_bounded(self._beside(name)) if name else None

    def _text(self, section: Mapping[str, object], key: str) -> str | None:
        value = section.get(key)
        if value is not None and not isinstance(value, str):
            raise self._error(f"has a {key} that is not text")
        return value

    def _beside(self, name: str) -> Path:
        return self.path.absolute().parent / name

    def _error(self, sentence: str) -> CredentialError:
        return CredentialError(f"{self.path} {sentence}")
