"""Verified claims → Identity, by CEL expressions behind a protocol.

An identity that does not survive a round trip through an HTTP header unchanged is refused here, at sign-in, and never
escaped later: see `check_name`. An address that the provider does not call verified is not shown to the expressions.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

import cel

from auth.errors import AuthError, Reason
from auth.identity import Identity

MAX_NAME_BYTES = 512
"""UTF-8 of a user or group name; the kube side refuses at 1024, and an address has at most 254."""
MAX_GROUPS = 400
"""One person's; the kube side sends at most 500, roles' own included."""
MAX_EXPRESSION = 1024

_PROTOCOL_CLAIMS = frozenset(
    {"aud", "azp", "exp", "iat", "nbf", "jti", "nonce", "at_hash", "c_hash", "s_hash", "auth_time", "sid", "typ"}
    | {"session_state", "rat", "uti", "aio", "rh"}
)  # fmt: skip
"""Of the message and not of the person: they change with every token."""


class MappingError(ValueError):
    """An expression that cannot be used; the message is for whoever wrote the configuration."""


class Expression(Protocol):
    """Claims in, a value out. Raises KeyError for a claim that is not there, another Exception for anything else."""

    def __call__(self, claims: Mapping[str, Any]) -> object: ...


def compile_expression(source: str) -> Expression:
    """A CEL expression over `claims`. Raises MappingError."""
    if len(source) > MAX_EXPRESSION:
        raise MappingError(f"an expression has at most {MAX_EXPRESSION} characters")
    try:
        program = cel.compile(source)
    except ValueError as error:
        raise MappingError(f"{source!r} is no CEL expression: {str(error).splitlines()[0]}") from error
    return lambda claims: program.execute({"claims": dict(claims)})


@dataclass(frozen=True, slots=True)
class ClaimMapping:
    """How one connector's claims become a person."""

    username: Expression
    groups: Expression
    email: Expression | None = None


def compile_mapping(username: str, groups: str, email: str | None = None) -> ClaimMapping:
    """Raises MappingError."""
    return ClaimMapping(
        compile_expression(username), compile_expression(groups), None if email is None else compile_expression(email)
    )


def identity_from_claims(
    mapping: ClaimMapping, claims: Mapping[str, Any], *, connector: str, issuer: str, subject: str
) -> Identity:
    """Raises AuthError(IDENTITY_REFUSED) with a sentence that names the claim or the rule."""
    personal = personal_claims(claims)
    username = _evaluate(mapping.username, personal, "the user name", _missing_username(claims))
    email = personal.get("email") if mapping.email is None else _evaluate(mapping.email, personal, "the address", None)
    return make_identity(
        connector=connector,
        issuer=issuer,
        subject=subject,
        username=username,
        groups=groups_of(mapping, claims),
        email=email,
        claims=personal,
    )


def make_identity(
    *,
    connector: str,
    issuer: str,
    subject: str,
    username: object,
    groups: object,
    email: object,
    claims: Mapping[str, Any],
) -> Identity:
    """An Identity of which every name was checked. Raises AuthError(IDENTITY_REFUSED)."""
    if not isinstance(groups, (list, tuple)):
        _refuse("the groups are no list of text")
    if len(groups) > MAX_GROUPS:
        _refuse(f"you are in more than {MAX_GROUPS} groups; have the provider send only those of this application")
    names = tuple(dict.fromkeys(check_name(group, "a group") for group in groups))
    address = check_email(email) if email not in (None, "") else None
    return Identity(connector, issuer, subject, check_name(username, "the user name"), names, address, dict(claims))


def groups_of(mapping: ClaimMapping, claims: Mapping[str, Any]) -> list[str]:
    """The groups, [] where the provider sends none (Keycloak then sends no claim at all).

    Raises AuthError(IDENTITY_REFUSED) where the provider says that there are more than it sent.
    """
    sources = claims.get("_claim_names")
    if claims.get("hasgroups") is True or (isinstance(sources, Mapping) and "groups" in sources):
        _refuse("you are in more groups than the provider sends; have it send only those of this application")
    try:
        value = mapping.groups(personal_claims(claims))
    except KeyError:
        return []
    except Exception as error:
        raise AuthError(Reason.IDENTITY_REFUSED, "the groups cannot be read: check `mapping.groups`") from error
    if not isinstance(value, list) or not all(isinstance(member, str) for member in value):
        _refuse("the groups are no list of text; check `mapping.groups`")
    return value


def has_groups(mapping: ClaimMapping, claims: Mapping[str, Any]) -> bool:
    """Whether these claims say anything about groups."""
    try:
        mapping.groups(personal_claims(claims))
    except KeyError:
        return False
    except Exception:  # noqa: BLE001 - what is wrong with it is said by `groups_of`
        return True
    return True


def personal_claims(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Claims about the person. `email` is among them only if the provider says it is verified, in lower case."""
    kept = {name: value for name, value in claims.items() if name not in _PROTOCOL_CLAIMS}
    email = kept.pop("email", None)
    if isinstance(email, str) and claims.get("email_verified") is True:
        kept["email"] = email.lower()
    return kept


def check_name(value: object, what: str) -> str:
    """A name that can be sent in a header, compared, shown and recorded with one meaning. Raises AuthError.

    Text of 1 to 512 bytes, in Unicode's NFC, printable (so no controls, surrogates, line or bidirectional marks), no
    outer blanks of any kind, not under `system:` in any case. A comma is fine.
    """
    if not isinstance(value, str):
        _refuse(f"{what} is no text")
    if not value or value != value.strip():
        _refuse(f"{what} is empty, or begins or ends with a blank")
    if not value.isprintable():
        _refuse(f"{what} holds characters that do not print")
    if len(value.encode()) > MAX_NAME_BYTES:
        _refuse(f"{what} is longer than {MAX_NAME_BYTES} bytes")
    if not unicodedata.is_normalized("NFC", value):
        _refuse(f"{what} is not in Unicode's composed form (NFC)")
    if unicodedata.normalize("NFKC", value).casefold().lstrip().startswith("system:"):
        _refuse(f"{what} begins with `system:`, which belongs to Kubernetes itself")
    return value


def check_email(value: object) -> str:
    """Raises AuthError unless it has exactly one @ with something on either side."""
    address = check_name(value, "the address")
    local, at, domain = address.partition("@")
    if not (local and at and domain) or "@" in domain or any(c.isspace() for c in address):
        _refuse("the address has not exactly one @ between a name and a domain")
    return address


def _missing_username(claims: Mapping[str, Any]) -> str:
    if "email" in claims and claims.get("email_verified") is not True:
        return (
            "the provider does not say that your address is verified; have it send `email_verified`, "
            "or set `mapping.username` to another claim, such as claims.preferred_username"
        )
    return "the claim that `mapping.username` names is not in your token; check the scopes and the mapping"


def _evaluate(expression: Expression, claims: Mapping[str, Any], what: str, missing: str | None) -> object:
    try:
        return expression(claims)
    except KeyError as error:
        if missing is None:
            return None
        raise AuthError(Reason.IDENTITY_REFUSED, missing) from error
    except Exception as error:
        raise AuthError(Reason.IDENTITY_REFUSED, f"{what} cannot be read: check the mapping") from error


def _refuse(why: str) -> NoReturn:
    raise AuthError(Reason.IDENTITY_REFUSED, why)
