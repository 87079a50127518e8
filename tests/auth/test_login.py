from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from auth.errors import AuthError, Reason
from auth.identity import Identity, KeyHash
from auth.login import (
    CODE_SECONDS,
    MAX_PENDING_PER_SOURCE,
    TRANSACTION_SECONDS,
    Asked,
    Grant,
    Grants,
    InvalidGrantError,
    Transaction,
    Transactions,
    answer_code,
    authenticated,
    authorization_url,
    callback_url,
    code_request,
    hashed,
    parse_asked,
    parse_tokens,
    refresh_request,
)
from auth.secret import Secret

# RFC 7636, appendix B
VERIFIER, CHALLENGE = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
KEY = KeyHash("k" * 43)
ASKED = Asked("http://127.0.0.1:4000/callback", "s" * 32, CHALLENGE, KEY)
PERSON = Identity("corp", "https://idp", "u-1", "ada")


def transaction(now: float = 0.0, source: str = "10.0.0.1") -> Transaction:
    return Transaction(ASKED, "corp", "nonce", Secret(b"v"), hashed("cookie"), source, now)


def grant(now: float = 0.0) -> Grant:
    return Grant(ASKED, PERSON, None, hashed("cookie"), "10.0.0.1", "", now)


class TestMessages:
    def test_the_way_to_the_provider(self) -> None:
        url = authorization_url(
            "https://idp/authorize?tenant=a",
            client_id="kwit",
            redirect_uri="https://kwit/callback/corp",
            scopes=("openid", "email"),
            state="st",
            nonce="no",
            verifier=VERIFIER,
        )
        parts = urlsplit(url)
        assert (parts.scheme, parts.netloc, parts.path) == ("https", "idp", "/authorize")
        assert sorted(parse_qsl(parts.query)) == [
            ("client_id", "kwit"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("nonce", "no"),
            ("redirect_uri", "https://kwit/callback/corp"),
            ("response_type", "code"),
            ("scope", "openid email"),
            ("state", "st"),
            ("tenant", "a"),
        ]

    def test_the_forms(self) -> None:
        assert parse_qs(code_request(code="a&b", redirect_uri="https://k/c", verifier=VERIFIER)) == {
            "grant_type": ["authorization_code"],
            "code": ["a&b"],
            "redirect_uri": ["https://k/c"],
            "code_verifier": [VERIFIER],
        }
        assert parse_qs(refresh_request("r+1")) == {"grant_type": ["refresh_token"], "refresh_token": ["r+1"]}

    @pytest.mark.parametrize(
        ("methods", "expected"),
        [
            (("client_secret_basic",), ("a=b", "Basic a3dpdDpwJTNBdw==")),
            (("client_secret_basic", "client_secret_post"), ("a=b", "Basic a3dpdDpwJTNBdw==")),
            (("private_key_jwt",), ("a=b", "Basic a3dpdDpwJTNBdw==")),
            (("client_secret_post",), ("a=b&client_id=kwit&client_secret=p%3Aw", None)),
        ],
    )
    def test_who_we_are(self, methods: tuple[str, ...], expected: tuple[str, str | None]) -> None:
        assert authenticated("a=b", "kwit", Secret(b"p:w"), methods) == expected

    def test_a_public_client_says_its_name(self) -> None:
        assert authenticated("a=b", "kw it", None, ()) == ("a=b&client_id=kw%20it", None)

    def test_the_way_back(self) -> None:
        assert callback_url(ASKED, "abc") == f"http://127.0.0.1:4000/callback?code=abc&state={'s' * 32}"

    @pytest.mark.parametrize(
        ("status", "body", "reason"),
        [
            (400, b'{"error":"invalid_grant"}', Reason.LOGIN_ENDED),
            (200, b'{"error":"bad_refresh_token"}', Reason.LOGIN_ENDED),
            (400, b'{"error":"invalid_request"}', Reason.CONNECTOR_UNAVAILABLE),
            (200, b'{"error":"slow_down"}', Reason.CONNECTOR_UNAVAILABLE),
            (400, b'{"error":["invalid_grant"]}', Reason.CONNECTOR_UNAVAILABLE),
            (400, b"invalid_grant", Reason.CONNECTOR_UNAVAILABLE),
            (502, b"<html>", Reason.CONNECTOR_UNAVAILABLE),
            (200, b"{}", Reason.CONNECTOR_UNAVAILABLE),
            (201, b'{"access_token":"a","token_type":"Bearer"}', Reason.CONNECTOR_UNAVAILABLE),
            (200, b'{"access_token":"","token_type":"Bearer"}', Reason.CONNECTOR_UNAVAILABLE),
            (200, b'{"access_token":"a","token_type":"DPoP"}', Reason.CONNECTOR_UNAVAILABLE),
            (200, b'{"access_token":"a"}', Reason.CONNECTOR_UNAVAILABLE),
            (200, b'{"access_token":"a","token_type":"Bearer","id_token":1}', Reason.CONNECTOR_UNAVAILABLE),
            (200, b'{"access_token":"a","access_token":"b","token_type":"Bearer"}', Reason.CONNECTOR_UNAVAILABLE),
        ],
    )
    def test_only_a_clear_no_is_one(self, status: int, body: bytes, reason: Reason) -> None:
        with pytest.raises(AuthError) as caught:
            parse_tokens(body, status)
        assert caught.value.reason is reason
        assert isinstance(caught.value, InvalidGrantError) is (reason is Reason.LOGIN_ENDED)

    def test_tokens_are_read_and_not_printed(self) -> None:
        body = b'{"access_token":"at","token_type":"bearer","id_token":"it","refresh_token":"rt"}'
        tokens = parse_tokens(body, 200)
        assert (tokens.access_token, tokens.id_token) == ("at", "it")
        assert tokens.refresh_token is not None
        assert tokens.refresh_token.reveal() == b"rt"
        assert repr(tokens) == "<Tokens>"

    @pytest.mark.parametrize(
        "params", [{}, {"code": ""}, {"code": "x" * 4097}, {"code": "a\nb"}, {"error": "server_error"}]
    )
    def test_an_answer_without_a_code_is_refused(self, params: dict[str, str]) -> None:
        with pytest.raises(AuthError):
            answer_code(params)

    def test_a_providers_error_text_is_not_passed_on(self) -> None:
        with pytest.raises(AuthError) as caught:
            answer_code({"error": "<script>", "error_description": "click here"})
        assert "script" not in caught.value.message
        assert "click" not in caught.value.message


def test_what_the_command_line_asks_is_read() -> None:
    query = {"redirect_uri": ASKED.redirect_uri, "state": ASKED.state, "code_challenge": CHALLENGE, "key": KEY}
    pairs = [(name, str(value)) for name, value in query.items()] + [("code_challenge_method", "S256")]
    assert parse_asked(pairs) == (ASKED, None)
    assert parse_asked([*pairs, ("connector", "corp")]) == (ASKED, "corp")


class TestTransactions:
    def take(self, transactions: Transactions, **changes: Any) -> Transaction:
        given = {"state": "st", "connector": "corp", "cookie": "cookie", "now": 1.0} | changes
        return transactions.take(given.pop("state"), **given)

    def test_one_comes_back_to_its_browser(self) -> None:
        transactions = Transactions()
        transactions.begin("st", transaction())
        assert self.take(transactions).nonce == "nonce"
        assert len(transactions) == 0

    @pytest.mark.parametrize(
        "changes",
        [
            {"state": "other"},
            {"state": ""},
            {"connector": "other"},
            {"cookie": None},
            {"cookie": ""},
            {"cookie": "other"},
            {"cookie": hashed("cookie")},
            {"now": TRANSACTION_SECONDS + 1},
        ],
    )
    def test_any_difference_is_refused(self, changes: dict[str, Any]) -> None:
        transactions = Transactions()
        transactions.begin("st", transaction())
        with pytest.raises(AuthError):
            self.take(transactions, **changes)

    def test_a_failed_try_uses_it_up(self) -> None:
        transactions = Transactions()
        transactions.begin("st", transaction())
        with pytest.raises(AuthError):
            self.take(transactions, cookie="other")
        with pytest.raises(AuthError):
            self.take(transactions)

    def test_one_address_has_a_limit_and_others_go_on(self) -> None:
        transactions = Transactions()
        for i in range(MAX_PENDING_PER_SOURCE):
            transactions.begin(f"st{i}", transaction())
        with pytest.raises(AuthError):
            transactions.begin("more", transaction())
        transactions.begin("st", transaction(source="10.0.0.2"))
        assert self.take(transactions).source == "10.0.0.2"

    def test_old_ones_make_room(self) -> None:
        transactions = Transactions()
        for i in range(MAX_PENDING_PER_SOURCE):
            transactions.begin(f"st{i}", transaction())
        transactions.begin("st", transaction(now=TRANSACTION_SECONDS + 1))
        assert len(transactions) == 1


class GrantsModel(RuleBasedStateMachine):
    """Codes are worth one login, to the holder of verifier and key, for a minute; in whatever order things come."""

    @initialize()
    def start(self) -> None:
        self.grants, self.now, self.made = Grants(), 0.0, dict[str, float]()

    @rule(code=st.sampled_from("abcd"))
    def add(self, code: str) -> None:
        self.grants.add(code, grant(self.now))
        self.made[code] = self.now

    @rule(seconds=st.sampled_from([1.0, 30.0, 61.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(
        code=st.sampled_from("abcde"),
        verifier=st.sampled_from([VERIFIER, "x" * 43, "x"]),
        key=st.sampled_from([KEY, "z"]),
    )
    def redeem(self, code: str, verifier: str, key: str) -> None:
        made = self.made.pop(code, None)
        right = made is not None and self.now - made <= CODE_SECONDS and verifier == VERIFIER and key == KEY
        try:
            got = self.grants.redeem(code, verifier=verifier, key_hash=KeyHash(key), now=self.now)
        except AuthError:
            assert not right
        else:
            assert right
            assert got.identity == PERSON


TestGrants = GrantsModel.TestCase
TestGrants.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)


def test_a_grant_that_waits_for_a_yes_waits_for_its_own_browser() -> None:
    grants = Grants(TRANSACTION_SECONDS)
    grants.add("t", grant())
    with pytest.raises(AuthError):
        grants.confirm("t", cookie="other", now=1.0)
    with pytest.raises(AuthError):
        grants.confirm("t", cookie="cookie", now=1.0)
