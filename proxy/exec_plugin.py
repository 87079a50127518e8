"""An exec credential plugin of client-go (client.authentication.k8s.io/v1 and v1beta1), run as a subprocess.

The plugin gets kwit's environment, what its stanza adds, and KUBERNETES_EXEC_INFO; no terminal and no stdin. Its
stdout is an ExecCredential and nothing else; of its stderr the last line goes into the error, since that is where it
explains itself. It blocks: `Credentials.refresh` runs it in a thread.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from datetime import datetime
from typing import NewType

from proxy.cluster_credentials import MAX_CREDENTIAL_BYTES, CredentialError, Material

TIMEOUT_SECONDS = 30.0
"""Cloud plugins need one or two round trips; longer than this, the cluster counts as without credential."""
MAX_EXPLANATION = 300
"""Characters of a plugin's stderr that an error carries."""

_VERSIONS = frozenset({"client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"})

InstallHint = NewType("InstallHint", str)


@dataclass(frozen=True, slots=True)
class ExecPlugin:
    """One stanza `exec` of a kubeconfig. A Source."""

    api_version: str
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    install_hint: InstallHint = InstallHint("")
    timeout_seconds: float = TIMEOUT_SECONDS

    def fetch(self) -> Material:
        """Run it once. Raises CredentialError."""
        if self.api_version not in _VERSIONS:
            raise CredentialError(
                f"the exec plugin {self.command[0]} speaks {self.api_version or 'no version'}; expected v1 or v1beta1"
            )
        return parse_exec_credential(self._run(), self.api_version, self.command[0])

    def _run(self) -> bytes:
        info = {"apiVersion": self.api_version, "kind": "ExecCredential", "spec": {"interactive": False}}
        environment = {
            **os.environ,  # noqa: TID251 - a plugin finds its cloud's credentials there, as it does under kubectl
            **dict(self.environment),
            "KUBERNETES_EXEC_INFO": json.dumps(info),
        }
        name = self.command[0]
        try:
            done = subprocess.run(  # noqa: S603 - the operator's own kubeconfig names the command; no shell
                self.command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=self.timeout_seconds,
                env=environment,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise CredentialError(f"the exec plugin {name} did not answer within {self.timeout_seconds:g} s") from error
        except OSError as error:
            hint = f"; {self.install_hint}" if self.install_hint else ""
            raise CredentialError(f"the exec plugin {name} cannot be run: {error.strerror}{hint}") from error
        if done.returncode != 0:
            lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"]
            explanation = "".join(c for c in lines[-1] if c.isprintable())[:MAX_EXPLANATION]
            raise CredentialError(f"the exec plugin {name} ended with exit code {done.returncode}: {explanation}")
        return done.stdout


def parse_exec_credential(output: bytes, api_version: str, name: str) -> Material:
    """What a plugin wrote to stdout. Raises CredentialError; the message never repeats the output."""
    if len(output) > MAX_CREDENTIAL_BYTES:
        raise CredentialError(f"the exec plugin {name} wrote more than {MAX_CREDENTIAL_BYTES} bytes")
    try:
        answer = json.loads(output)
    except ValueError as error:
        raise CredentialError(f"the exec plugin {name} wrote something that is not JSON to stdout") from error
    status = answer.get("status") if isinstance(answer, dict) else None
    if not isinstance(status, dict) or answer.get("kind") != "ExecCredential":
        raise CredentialError(f"the exec plugin {name} wrote no ExecCredential with a status")
    if answer.get("apiVersion") != api_version:
        raise CredentialError(f"the exec plugin {name} answers in another version than {api_version}")
    certificate, key = _text(status, "clientCertificateData", name), _text(status, "clientKeyData", name)
    return Material(
        token=_text(status, "token", name),
        certificate_pem=certificate.encode() if certificate else None,
        key_pem=key.encode() if key else None,
        expires_at=_expiry(_text(status, "expirationTimestamp", name), name),
    )


def _text(status: dict[str, object], key: str, name: str) -> str | None:
    value = status.get(key)
    if value is not None and not isinstance(value, str):
        raise CredentialError(f"the exec plugin {name} gave a {key} that is not text")
    return value or None


def _expiry(value: str | None, name: str) -> float | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise CredentialError(f"the exec plugin {name} gave an expirationTimestamp that is no RFC 3339 time") from error
    if moment.tzinfo is None:
        raise CredentialError(f"the exec plugin {name} gave an expirationTimestamp without a time zone")
    return moment.timestamp()
