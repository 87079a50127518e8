"""Certificates of a login: asked for, kept, and handed out until four fifths of their life are over.

Handing out a different one makes client-go close the connections of that client, so the same is given as long as it is
good. All times are by this machine's clock: the server tells a lifetime, and clocks differ by hours.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from auth.kubeconfig import KubeconfigError, exec_credential, safe_name
from proxy.cli.client import cached, key, private_file, saved_login
from proxy.cli.client.api import Api
from proxy.cli.client.problem import NotSignedIn, Problem, Unreachable
from proxy.cli.client.saved_login import SavedLogin

RENEW_AFTER = 0.8
"""Share of a certificate's life after which a new one is asked for."""
MAX_MARGIN_SECONDS = 60.0
"""kubectl is told that it ends this much earlier: the way from the server, and the request under way."""


@dataclass(frozen=True, slots=True)
class Certificates:
    """The certificates of one server's login. `sign_in` makes a login; None where nobody is there to ask."""

    server: str
    clock: Callable[[], float]
    sign_in: Callable[[], SavedLogin] | None
    warn: Callable[[str], None]

    def answer(self, cluster: str) -> str:
        """An ExecCredential. However many processes ask at once, one renews and one signs in. Raises Problem."""
        try:
            path = Path(cached.certificate_path(self.server, safe_name(cluster)))
        except KubeconfigError as error:
            raise Problem(f"{cluster[:80]!r} is not the name of a cluster; `kwit clusters` lists yours") from error
        asked = self.clock()
        with private_file.locked(Path(cached.folder(self.server)) / "lock"):
            found = cached.fresh(str(path), self.clock())
            return found if found is not None else self._renew(cluster, path, asked)

    def _renew(self, cluster: str, path: Path, asked: float) -> str:
        try:
            return self._request(cluster, path)
        except Unreachable as error:
            stored = cached.load(str(path))
            if stored is None or not stored["written"] - cached.CLOCK_BACK_SECONDS <= self.clock() < stored["expires"]:
                raise
            self.warn(f"the certificate could not be renewed: {error}")
            return str(stored["answer"])
        except NotSignedIn:
            saved_login.forget_certificates(self.server)
            if self.sign_in is None:
                raise
            self._sign_in_once(self.sign_in, asked)
            return self._request(cluster, path)

    def _request(self, cluster: str, path: Path) -> str:
        login, key_pem = saved_login.load(self.server)
        if self.clock() >= login.expires_at:
            raise NotSignedIn(f"your login has ended; run `kwit login {self.server}`")
        private = key.from_pem(key_pem)
        api = Api(self.server, self.clock, login.ca_pem, private, login.id, login.clock_offset)
        now = self.clock()
        answer = api.call("POST", "/api/v1/certificates", {"cluster": cluster, "csr": key.request_pem(private)})
        stored = stored_form(answer, key.to_pem(private), now)
        private_file.write(path, stored)
        if api.offset != login.clock_offset:
            saved_login.save(replace(login, clock_offset=api.offset))
        return str(json.loads(stored)["answer"])

    def _sign_in_once(self, sign_in: Callable[[], SavedLogin], asked: float) -> None:
        """Of those who waited while somebody failed to sign in, none tries again: one browser tab for all."""
        failed = Path(cached.folder(self.server)) / "sign-in-failed.json"
        try:
            last = json.loads(failed.read_text(encoding="utf-8"))
            if last["at"] >= asked:
                raise NotSignedIn(str(last["sentence"]))
        except (OSError, ValueError, LookupError, TypeError):
            pass
        try:
            sign_in()
        except Problem as error:
            private_file.write(failed, json.dumps({"at": self.clock(), "sentence": str(error)}))
            raise
        failed.unlink(missing_ok=True)


def stored_form(answer: dict[str, object], key_pem: str, now: float) -> str:
    """What is kept of the server's answer; `now` is when it was asked. Raises Problem."""
    pem, lifetime = answer.get("certificate"), answer.get("lifetime_seconds")
    if not isinstance(pem, str) or not isinstance(lifetime, (int, float)) or not lifetime > 0:
        raise Problem("the server answered in an unknown form; update kubewitness here or there")
    expires = now + lifetime - min(MAX_MARGIN_SECONDS, lifetime / 10)
    stamp = datetime.fromtimestamp(int(expires), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = exec_credential(pem, key_pem, stamp) + "\n"
    return json.dumps({"written": now, "renew": now + RENEW_AFTER * lifetime, "expires": expires, "answer": text})
