"""The JSON API of the engineer's command line: logins, certificates, may-I.

Whoever calls proves possession of the login's key with every call (`auth.proof`); that the login lives is asked of the
store each time. What happens is recorded before it takes effect and before it is answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from auth.ca import IssuedCertificate, PublicKey, key_hash, public_key_from_csr
from auth.errors import AuthError, Reason
from auth.identity import Login, LoginID
from auth.login import Grant, Grants
from auth.proof import SeenProofs, check_proof, read_proof
from auth.rbac import Attributes, Decision
from auth.state.seal import NONCE_BYTES
from proxy.base32_id import base32_id
from proxy.effects import Effect
from proxy.filters.impersonation import Requested
from proxy.impersonation import MAX_GROUPS, MAX_NAME_BYTES
from proxy.web.deps import WebDeps
from proxy.web.groups import with_token
from proxy.web.living import must_live
from proxy.web.question import Question, QuestionError, answer
from proxy.web.requests import bounded_agent, flag, read_json, source_of, text
from recordings.audit.encode import rfc3339
from recordings.audit.event import actor
from recordings.audit.record import Outcome, RecordType

MAX_PEM = 16 * 1024
MAX_NAME = 253
MAX_VERB = 64
MAX_PATH = 4096
"""Characters of a path in a question; longer ones are asked by programs, not by people."""
SWEEP_EVERY = 1000
"""Calls between two looks for silent logins in the memory of proofs."""


@dataclass(slots=True)
class Api:
    """`codes` is shared with the login pages, which make them."""

    deps: WebDeps
    codes: Grants
    seen: SeenProofs = field(default_factory=SeenProofs)
    _calls: int = 0

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/v1/installation", self.installation, allow_head=False),
            web.post("/api/v1/logins", self.create_login),
            web.get("/api/v1/logins/current", self.current, allow_head=False),
            web.delete("/api/v1/logins/current", self.logout),
            web.post("/api/v1/certificates", self.certificate),
            web.post("/api/v1/can-i", self.can_i),
        ]

    async def installation(self, _: web.Request) -> web.Response:
        deps = self.deps
        connectors = [
            {"name": c.name, "type": c.type, "display_name": c.display_name} for c in deps.connectors.values()
        ]
        return web.json_response(
            {
                "installation": deps.installation,
                "version": deps.version,
                "connectors": connectors,
                "login_ttl_seconds": deps.login_ttl,
            }
        )

    # -- logins

    async def create_login(self, request: web.Request) -> web.Response:
        """A code, its verifier and the public key for a login."""
        body = await read_json(request)
        code, verifier = text(body, "code", 512), text(body, "code_verifier", 128)
        key = _public_key(text(body, "public_key", MAX_PEM))
        now = self.deps.clock()
        try:
            grant = self.codes.redeem(code, verifier=verifier, key_hash=key_hash(key), now=now)
        except AuthError as error:
            self.deps.refused(error.reason.value, source_of(request), "logins")
            raise
        login = self._login(grant, request, now)
        try:
            await must_live(self.deps, login, now)
        except AuthError as error:
            await self._refuse_login(login, error)
        await self._record(
            RecordType.USER_LOGIN,
            login,
            {"connector": login.identity.connector, "key": login.key_hash, "expires": rfc3339(login.expires_at)},
        )
        await self.deps.store.add_login(login)
        await self.deps.changed()
        return web.json_response(self._describe(login, now), status=201)

    def _login(self, grant: Grant, request: web.Request, now: float) -> Login:
        login_id = LoginID(base32_id(self.deps.random))
        login = Login(
            login_id,
            grant.identity,
            grant.asked.key_hash,
            created_at=now,
            expires_at=now + self._lifetime(grant.refresh_token is not None),
            groups_checked_at=grant.created_at,
            source=source_of(request),
            user_agent=bounded_agent(request),
        )
        return with_token(login, self.deps.seal, grant.refresh_token, self.deps.random(NONCE_BYTES))

    def _lifetime(self, refreshed: bool) -> float:
        """Seconds. Groups that cannot be read again hold no longer than they may be old, and the person is told so."""
        ttl, groups = self.deps.login_ttl, self.deps.groups_max_age
        return ttl if refreshed else min(ttl, groups)

    async def _refuse_login(self, login: Login, error: AuthError) -> None:
        body = {"connector": login.identity.connector, "reason": error.reason.value, "message": error.message}
        await self.deps.audit(
            RecordType.USER_LOGIN_FAILED,
            {"outcome": Outcome.REFUSED, "actor": actor(login.identity), "source": login.source, "body": body},
        )
        raise error

    async def current(self, request: web.Request) -> web.Response:
        now = self.deps.clock()
        return web.json_response(self._describe(await self.caller(request, now), now))

    async def logout(self, request: web.Request) -> web.Response:
        """Ends the login; one that has ended already, or is locked, too: signing out is always possible."""
        now = self.deps.clock()
        login = await self._proven(request, now)
        if login.ended_at is None:
            await self._record(RecordType.USER_LOGOUT, login, {"reason": "logout"}, source=source_of(request))
            await self.deps.store.end_login(login.id, now, "logged out")
            await self.deps.changed()
        return web.Response(status=204)

    def _describe(self, login: Login, now: float) -> dict[str, Any]:
        deps, identity = self.deps, login.identity
        clusters = deps.clusters()
        policy = deps.policy()
        mine = [name for name in sorted(clusters) if policy.covers(_holder(login, name, clusters[name]))]
        return {
            "login": {
                "id": login.id,
                "username": identity.username,
                "groups": list(identity.groups),
                "connector": identity.connector,
                "email": identity.email,
                "expires_in": int(login.expires_at - now),
            },
            "installation": deps.installation,
            "kube": {"url": deps.kube_url, "ca": deps.kube_ca_pem, "tls_server_name": deps.kube_tls_server_name},
            "clusters": [{"name": name, "labels": dict(clusters[name])} for name in mine],
        }

    # -- certificates

    async def certificate(self, request: web.Request) -> web.Response:
        """A client certificate for one cluster, over the login's own key."""
        now = self.deps.clock()
        login = await self._proven(request, now)
        body = await read_json(request)
        cluster = text(body, "cluster", MAX_NAME)
        try:
            await must_live(self.deps, login, now, cluster)
            key, lifetime = self._certifiable(login, cluster, text(body, "csr", MAX_PEM), now)
        except AuthError as error:
            await self._record(
                RecordType.CERT_REFUSE,
                login,
                {"reason": error.reason.value, "message": error.message},
                outcome=Outcome.REFUSED,
                cluster=cluster if cluster in self.deps.clusters() else None,
                source=source_of(request),
            )
            raise
        issued = self.deps.issue(key, cluster, login.id, now, lifetime)
        await self._record(
            RecordType.CERT_ISSUE,
            login,
            {"serial": issued.serial_number, "not_after": rfc3339(issued.not_after), "key": login.key_hash},
            cluster=cluster,
            source=source_of(request),
        )
        await self.deps.store.add_certificate(issued)
        return web.json_response(_issued(issued, now), status=201)

    def _certifiable(self, login: Login, cluster: str, csr: str, now: float) -> tuple[PublicKey, float]:
        """The key to certify, and for how many seconds: the least of configuration, login and roles (design, 6)."""
        clusters = self.deps.clusters()
        if cluster not in clusters:
            raise AuthError(Reason.UNKNOWN_CLUSTER, "there is no cluster of this name here")
        policy, holder = self.deps.policy(), _holder(login, cluster, clusters[cluster])
        if not policy.covers(holder):
            raise AuthError(Reason.NO_ROLE, f"no role of yours covers cluster {cluster!r}")
        key = public_key_from_csr(csr)
        if key_hash(key) != login.key_hash:
            raise AuthError(Reason.CSR_INVALID, "the certificate request is for another key than the login's")
        of_roles = policy.certificate_ttl_seconds(holder)
        lifetimes = [self.deps.certificate_ttl, login.expires_at - now, *([] if of_roles is None else [of_roles])]
        return key, min(lifetimes)

    # -- may I

    async def can_i(self, request: web.Request) -> web.Response:
        """The verdict that a request would get, with its role and rule."""
        now = self.deps.clock()
        login = await self.caller(request, now)
        question = _question(await read_json(request))
        await must_live(self.deps, login, now, question.cluster)
        labels = self.deps.clusters().get(question.cluster)
        if labels is None:
            raise AuthError(Reason.UNKNOWN_CLUSTER, "there is no cluster of this name here")
        try:
            accepted = self.deps.system_names(question.cluster)
            verdict = answer(self.deps.policy(), login.identity, labels, accepted, question)
        except QuestionError as error:
            raise AuthError(Reason.BAD_REQUEST, str(error)) from error
        return web.json_response(
            {
                "allowed": verdict.decision is Decision.ALLOW,
                "role": verdict.role,
                "rule": verdict.rule,
                "reason": verdict.reason,
            }
        )

    # -- who calls

    async def caller(self, request: web.Request, now: float) -> Login:
        """A living login whose key signed this call. Raises AuthError."""
        login = await self._proven(request, now)
        try:
            await must_live(self.deps, login, now)
        except AuthError as error:
            if error.reason is Reason.LOCKED:  # whoever is stopped leaves a record of what they try
                await self._locked_out(login, request, error)
            raise
        return login

    async def _locked_out(self, login: Login, request: web.Request, error: AuthError) -> None:
        detail = f"{request.method} {request.path}"[:MAX_PATH]
        body = {"reason": error.reason.value, "message": error.message, "detail": detail}
        source = source_of(request)
        await self._record(RecordType.REQUEST_REFUSED, login, body, outcome=Outcome.REFUSED, source=source)

    async def _proven(self, request: web.Request, now: float) -> Login:
        """The login whose key signed this call, dead or alive. Raises AuthError."""
        headers = request.headers.getall("DPoP", [])
        url = self.deps.url + request.rel_url.raw_path
        try:
            proof = read_proof(headers[0] if len(headers) == 1 else "")
            found = await self.deps.store.get_login(proof.login_id)
            login = check_proof(proof, found, method=request.method, url=url, now=now)
            self.seen.admit(proof, now)
        except AuthError as error:
            self.deps.refused(error.reason.value, source_of(request), "proof")
            raise
        self._calls += 1
        if self._calls % SWEEP_EVERY == 0:
            self.seen.sweep(now)
        return login

    async def _record(
        self,
        kind: RecordType,
        login: Login,
        body: Mapping[str, object],
        *,
        outcome: Outcome = Outcome.DONE,
        cluster: str | None = None,
        source: str | None = None,
    ) -> None:
        record = {
            "outcome": outcome,
            "actor": actor(login.identity),
            "login": login.id,
            "source": login.source if source is None else source,
            "body": dict(body),
        }
        await self.deps.audit(kind, record | ({} if cluster is None else {"cluster": cluster}))


def _public_key(pem: str) -> PublicKey:
    """P-256, since the login's proofs are ES256. Raises AuthError(BAD_REQUEST)."""
    try:
        key = serialization.load_pem_public_key(pem.encode())
    except (ValueError, TypeError, UnicodeEncodeError) as error:
        raise AuthError(Reason.BAD_REQUEST, "`public_key` is no public key in PEM") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise AuthError(Reason.BAD_REQUEST, "`public_key` must be of P-256")
    return key


def _issued(issued: IssuedCertificate, now: float) -> dict[str, object]:
    return {
        "certificate": issued.pem,
        "lifetime_seconds": int(issued.not_after - now),
        "not_after": rfc3339(issued.not_after),
        "serial": issued.serial_number,
    }


def _holder(login: Login, cluster: str, labels: Mapping[str, str]) -> Attributes:
    """Somebody on a cluster, whatever they do there."""
    return Attributes.of(login.identity, cluster, labels, Effect("", "", "", "", "", ""))


def _question(body: dict[str, Any]) -> Question:
    """Raises AuthError(BAD_REQUEST)."""
    words = {n: text(body, n, MAX_NAME, default="") for n in ("resource", "subresource", "api_group", "namespace")}
    return Question(
        text(body, "cluster", MAX_NAME),
        text(body, "verb", MAX_VERB),
        **words,
        name=text(body, "name", MAX_NAME, default=""),
        path=text(body, "path", MAX_PATH, default=""),
        requested=_requested(body),
        server_side=flag(body, "server_side"),
    )


def _requested(body: dict[str, Any]) -> Requested | None:
    """Whom the request would ask to be. Raises AuthError(BAD_REQUEST)."""
    user, uid = text(body, "as", MAX_NAME_BYTES, default=""), text(body, "as_uid", MAX_NAME_BYTES, default="")
    groups = body.get("as_groups", [])
    if not isinstance(groups, list) or len(groups) > MAX_GROUPS or not all(isinstance(one, str) for one in groups):
        raise AuthError(Reason.BAD_REQUEST, f"`as_groups` must be a list of at most {MAX_GROUPS} texts")
    if not user:
        if groups or uid:
            raise AuthError(Reason.BAD_REQUEST, "impersonation needs exactly one user: give `as`")
        return None
    return Requested(user, tuple(groups), uid or None)
