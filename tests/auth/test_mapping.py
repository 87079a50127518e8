from __future__ import annotations

import unicodedata
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from auth.errors import AuthError, Reason
from auth.identity import Identity
from auth.mapping import (
    MAX_GROUPS,
    MappingError,
    check_email,
    check_name,
    compile_expression,
    compile_mapping,
    identity_from_claims,
    personal_claims,
)
from proxy.impersonation import Impersonation, lines
from recordings.audit.encode import encode

MAPPING = compile_mapping("claims.email", "claims.groups")
CLAIMS: dict[str, Any] = {
    "sub": "u-1",
    "email": "Ada@Example.com",
    "email_verified": True,
    "groups": ["eng"],
    "nonce": "n",
}


def mapped(mapping: Any = MAPPING, **changes: Any) -> Identity:
    claims = {name: value for name, value in (CLAIMS | changes).items() if value is not ...}
    return identity_from_claims(mapping, claims, connector="corp", issuer="https://idp", subject="u-1")


def test_claims_become_a_person() -> None:
    identity = mapped()
    assert identity == Identity("corp", "https://idp", "u-1", "ada@example.com", ("eng",), "ada@example.com")
    assert identity.claims == {"sub": "u-1", "email": "ada@example.com", "email_verified": True, "groups": ["eng"]}


def test_expressions_compute() -> None:
    mapping = compile_mapping(
        "claims.preferred_username + '@corp'",
        "claims.groups.filter(g, g.startsWith('k8s-'))",
        "claims.mail",
    )
    identity = mapped(mapping, preferred_username="ada", groups=["k8s-eng", "chess"], mail="a@b.c")
    assert (identity.username, identity.groups, identity.email) == ("ada@corp", ("k8s-eng",), "a@b.c")


@pytest.mark.parametrize("source", ["claims.", "1 +", "", "x" * 2000])
def test_an_expression_that_cannot_be_is_refused_when_it_is_configured(source: str) -> None:
    with pytest.raises(MappingError):
        compile_expression(source)


def refused(**changes: Any) -> str:
    with pytest.raises(AuthError) as caught:
        mapped(**changes)
    assert caught.value.reason is Reason.IDENTITY_REFUSED
    return caught.value.message


@pytest.mark.parametrize("verified", [False, "true", "false", 1, None, ..., [True]])
def test_an_address_that_is_not_called_verified_is_not_seen(verified: Any) -> None:
    assert "verified" in refused(email_verified=verified)


def test_nor_can_an_expression_build_on_it() -> None:
    split = compile_mapping("claims.email.split('@')[0]", "[]")
    with pytest.raises(AuthError):
        mapped(split, email_verified=False)


@pytest.mark.parametrize(
    "groups",
    [
        "eng",
        "system:masters",
        {"eng": True},
        1,
        True,
        None,
        [1],
        [None],
        [["eng"]],
        [{"name": "eng"}],
        ["eng", 1],
        [""],
        [" "],
        [" eng"],
        ["eng "],
        ["eng\u00a0"],
        ["\u2003eng"],
        ["en\ng"],
        ["en\x00g"],
        ["eng\t"],
        ["system:masters"],
        ["SYSTEM:masters"],
        ["System:nodes"],
        ["\uff53ystem:masters"],
        ["system\uff1amasters"],
        ["\u017fystem:masters"],
        ["x" * 513],
        ["é" * 257],
        ["e\u0301"],
        ["\u200beng"],
        ["a\u202eb"],
        ["a\u2028b"],
        [f"g{i}" for i in range(MAX_GROUPS + 1)],
    ],
)
def test_groups_of_another_shape_are_refused(groups: Any) -> None:
    refused(groups=groups)


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ([], ()),
        (..., ()),
        (["a,b"], ("a,b",)),
        (["/eng/sre"], ("/eng/sre",)),
        (["b", "a", "b"], ("b", "a")),
        (["Ingénieurs"], ("Ingénieurs",)),
        (["a b"], ("a b",)),
        (["mysystem:x"], ("mysystem:x",)),
    ],
)
def test_groups_that_are_odd_but_clear_are_kept(groups: Any, expected: tuple[str, ...]) -> None:
    assert mapped(groups=groups).groups == expected


@pytest.mark.parametrize("marker", [{"_claim_names": {"groups": "src1"}}, {"hasgroups": True}])
def test_groups_that_did_not_fit_the_token_are_no_empty_list(marker: dict[str, Any]) -> None:
    assert "more groups" in refused(groups=..., **marker)


@pytest.mark.parametrize("address", ["a", "@b", "a@", "a@b@c", "a b@c", "a@b c", "", " a@b", "a@b\n", 1])
def test_an_address_has_exactly_one_at(address: Any) -> None:
    with pytest.raises(AuthError):
        check_email(address)


def test_claims_of_the_message_are_not_of_the_person() -> None:
    noise = {"aud": "kwit", "exp": 1, "iat": 1, "nonce": "n", "at_hash": "h", "sid": "s", "team": "core"}
    assert personal_claims(noise) == {"team": "core"}


def header_survives(name: str) -> None:
    """What a Go server reads of our line is the name; and the record of it can be written."""
    block = lines(Impersonation(name, (name,), None, ()))
    first, second, end = block.split(b"\r\n")
    for line, prefix in ((first, b"Impersonate-User: "), (second, b"Impersonate-Group: ")):
        value = line.removeprefix(prefix)
        assert value.strip(b" \t").decode() == name  # net/textproto trims blanks and tabs, and nothing else
        assert all(byte >= 0x20 and byte != 0x7F for byte in value)
    assert end == b""
    assert orjson.loads(encode({"username": name})) == {"username": name}


@given(st.text(alphabet=st.characters(), min_size=0, max_size=12))
@example("\ud800admin")
@example("encoding")
@example("admin\udfff")
@example("")
@example("\u00a0")
@example("ad\u00admin")
@settings(max_examples=3000, deadline=None)
def test_a_name_accepted_at_sign_in_survives_a_header_and_a_record(name: str) -> None:
    try:
        accepted = check_name(name, "the user name")
    except AuthError:
        return
    assert accepted == name
    header_survives(name)


def test_so_does_every_single_character_of_unicode() -> None:
    for point in range(0x110000):
        name = "a" + chr(point) + "z"
        try:
            check_name(name, "the user name")
        except AuthError:
            continue
        assert chr(point).isprintable()
        assert unicodedata.category(chr(point)) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
        if point < 0x3000 or point % 97 == 0:
            header_survives(name)


@pytest.mark.parametrize("blank", [chr(p) for p in range(0x110000) if chr(p).isspace()])
def test_no_name_begins_or_ends_with_any_blank(blank: str) -> None:
    for name in (blank + "admin", "admin" + blank, blank):
        with pytest.raises(AuthError):
            check_name(name, "the user name")
