"""Any OpenID provider by discovery: authorization code with PKCE, ID tokens, refresh, userinfo where it must be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auth.connectors import RoundTrip, SignedIn
from auth.connectors.jwks import (
    KEYS_FRESH_SECONDS,
    KEYS_MAX_AGE_SECONDS,
    METADATA_FRESH_SECONDS,
    METADATA_MAX_AGE_SECONDS,
    Kept,
)
from auth.connectors.outbound import MAX_ANSWER_BYTES, Outbound
from auth.errors import AuthError, Reason
from auth.identity import Identity
from auth.jose import KeySet, TokenError, UnknownKeyError, parse_jwks
from auth.login import (
    InvalidGrantError,
    Tokens,
    answer_code,
    authenticated,
    authorization_url,
    code_request,
    parse_tokens,
    refresh_request,
)
from auth.mapping import ClaimMapping, has_groups, identity_from_claims
from auth.oidc import ProviderMetadata, check_response_issuer, parse_metadata, verify_id_token
from auth.secret import Secret
from auth.strict_json import StrictJSONError, parse_object

DISCOVERY = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """What the configuration says of one provider."""

    name: str
    display_name: str
    issuer: str
    client_id: str
    client_secret: Secret | None
    scopes: tuple[str, ...]
    algorithms: tuple[str, ...]
    mapping: ClaimMapping
    ca_file: Path | None = None


class OidcConnector:
    """See `auth.connectors.Connector`."""

    type = "oidc"

    def __init__(self, settings: OidcSettings, outbound: Outbound | None = None) -> None:
        self._settings = settings
        self._outbound = outbound or Outbound(settings.name, settings.ca_file)
        self._metadata: Kept[ProviderMetadata] = Kept(
            self._fetch_metadata, fresh_seconds=METADATA_FRESH_SECONDS, max_age_seconds=METADATA_MAX_AGE_SECONDS
        )
        self._jwks_uri = ""
        self._keys: Kept[KeySet] = Kept(
            self._fetch_keys, fresh_seconds=KEYS_FRESH_SECONDS, max_age_seconds=KEYS_MAX_AGE_SECONDS
        )

    @property
    def name(self) -> str:
        return self._settings.name

    @property
    def display_name(self) -> str:
        return self._settings.display_name

    async def close(self) -> None:
        await self._outbound.close()

    async def begin(self, trip: RoundTrip, now: float) -> str:
        metadata = await self._metadata.get(now)
        return authorization_url(
            metadata.authorization_endpoint,
            client_id=self._settings.client_id,
            redirect_uri=trip.redirect_uri,
            scopes=self._settings.scopes,
            state=trip.state,
            nonce=trip.nonce,
            verifier=trip.verifier.reveal().decode(),
        )

    async def complete(self, params: Mapping[str, str], trip: RoundTrip, now: float) -> SignedIn:
        metadata = await self._metadata.get(now)
        with _token_errors():
            check_response_issuer(metadata, params.get("iss"))
        form = code_request(
            code=answer_code(params), redirect_uri=trip.redirect_uri, verifier=trip.verifier.reveal().decode()
        )
        try:
            tokens = await self._tokens(metadata, form)
        except InvalidGrantError as error:
            # of a code, not of a person's grant: it was used, is too old, or is not the provider's
            raise AuthError(
                Reason.CODE_INVALID, "the identity provider does not know its code any more; begin again"
            ) from error
        claims = await self._claims(metadata, tokens, nonce=trip.nonce, now=now)
        return SignedIn(self._identity(claims), tokens.refresh_token)

    async def refresh(
        self, identity: Identity, token: Secret, save: Callable[[Secret], Awaitable[None]], now: float
    ) -> Identity:
        metadata = await self._metadata.get(now)
        tokens = await self._tokens(metadata, refresh_request(token.reveal().decode()))
        if tokens.refresh_token is not None:
            await save(tokens.refresh_token)
        if tokens.id_token is None:
            claims = await self._userinfo(metadata, tokens, identity.subject)
        else:
            # Core 1.0, section 12.2: a token from a refresh need not carry the nonce, and Keycloak's does not
            claims = await self._claims(metadata, tokens, nonce=None, now=now)
        return self._identity(claims)

    def _identity(self, claims: Mapping[str, Any]) -> Identity:
        return identity_from_claims(
            self._settings.mapping,
            claims,
            connector=self._settings.name,
            issuer=self._settings.issuer,
            subject=claims["sub"],
        )

    async def _claims(
        self, metadata: ProviderMetadata, tokens: Tokens, *, nonce: str | None, now: float
    ) -> Mapping[str, Any]:
        """The ID token's, and where it says nothing of groups, the userinfo endpoint's beneath them."""
        if tokens.id_token is None:
            raise AuthError(Reason.TOKEN_INVALID, "the identity provider sent no ID token; is `openid` in the scopes?")
        with _token_errors():
            try:
                claims = self._verify(tokens, await self._keys_of(metadata, now), nonce, now)
            except UnknownKeyError:
                claims = self._verify(tokens, await self._keys.again(now), nonce, now)
        if metadata.userinfo_endpoint is None or has_groups(self._settings.mapping, claims):
            return claims
        return {**await self._userinfo(metadata, tokens, claims["sub"]), **claims}

    def _verify(self, tokens: Tokens, keys: KeySet, nonce: str | None, now: float) -> Mapping[str, Any]:
        assert tokens.id_token is not None
        return verify_id_token(
            tokens.id_token,
            keys,
            issuer=self._settings.issuer,
            client_id=self._settings.client_id,
            nonce=nonce,
            now=now,
            algorithms=self._settings.algorithms,
            access_token=tokens.access_token,
        )

    async def _userinfo(self, metadata: ProviderMetadata, tokens: Tokens, subject: str) -> Mapping[str, Any]:
        """Core 1.0, section 5.3: `sub` MUST be the ID token's."""
        if metadata.userinfo_endpoint is None:
            raise AuthError(
                Reason.CONNECTOR_UNAVAILABLE, "the identity provider sends neither ID token nor userinfo on a refresh"
            )
        answer = await self._outbound.get(
            metadata.userinfo_endpoint, {"Authorization": f"Bearer {tokens.access_token}"}
        )
        if answer.status != 200:
            raise AuthError(Reason.CONNECTOR_UNAVAILABLE, f"the userinfo endpoint answers {answer.status}; try again")
        try:
            claims = parse_object(answer.body, MAX_ANSWER_BYTES)
        except StrictJSONError as error:
            raise AuthError(Reason.CONNECTOR_UNAVAILABLE, f"the userinfo answer cannot be read: {error}") from error
        if claims.get("sub") != subject:
            raise AuthError(Reason.TOKEN_INVALID, "the userinfo endpoint speaks of somebody else")
        return claims

    async def _tokens(self, metadata: ProviderMetadata, form: str) -> Tokens:
        body, authorization = authenticated(
            form, self._settings.client_id, self._settings.client_secret, metadata.token_auth_methods
        )
        headers = {} if authorization is None else {"Authorization": authorization}
        answer = await self._outbound.post_form(metadata.token_endpoint, body, headers)
        return parse_tokens(answer.body, answer.status)

    async def _keys_of(self, metadata: ProviderMetadata, now: float) -> KeySet:
        self._jwks_uri = metadata.jwks_uri
        return await self._keys.get(now)

    async def _fetch_metadata(self) -> ProviderMetadata:
        answer = await self._outbound.get(self._settings.issuer.rstrip("/") + DISCOVERY)
        if answer.status != 200:
            raise _unusable(f"its discovery document is not there (status {answer.status})")
        try:
            return parse_metadata(answer.body, self._settings.issuer)
        except TokenError as error:
            raise _unusable(str(error)) from error

    async def _fetch_keys(self) -> KeySet:
        answer = await self._outbound.get(self._jwks_uri)
        if answer.status != 200:
            raise _unusable(f"its key set is not there (status {answer.status})")
        try:
            return parse_jwks(answer.body)
        except TokenError as error:
            raise _unusable(str(error)) from error


class _token_errors:  # noqa: N801 - used as a statement
    """A refused token becomes an AuthError."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, TokenError):
            raise AuthError(Reason.TOKEN_INVALID, f"the identity provider's answer is refused: {error}") from error


def _unusable(why: str) -> AuthError:
    return AuthError(Reason.CONNECTOR_UNAVAILABLE, f"the identity provider cannot be used: {why}")
