from __future__ import annotations

import json

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from auth.locks import Lock, LockKind, LockTarget
from auth.rbac import Options, Rule
from tests.proxy.web.conftest import Engineer, Installation, bound, developer

CERTIFICATES = "/api/v1/certificates"
CURRENT = "/api/v1/logins/current"


async def test_anybody_may_ask_who_signs_in_here(at: Installation) -> None:
    answer = await (await at.get(at.deps.url + "/api/v1/installation")).json()
    assert answer == {
        "installation": "example",
        "version": "0.1.0",
        "connectors": [{"name": "corp", "type": "oidc", "display_name": "The corp directory"}],
        "login_ttl_seconds": 36_000,
    }


def stolen(at: Installation) -> Lock:
    """A lock of ada."""
    return Lock("l1", LockTarget(LockKind.USER, "ada@example.com"), "stolen laptop", at.now, "bob")


class TestCertificates:
    async def test_one_is_issued_over_the_logins_key_and_recorded(self, ada: Engineer, at: Installation) -> None:
        await ada.sign_in()
        response = await ada.call("POST", CERTIFICATES, {"cluster": "staging-eu", "csr": ada.csr()})
        answer = await response.json()
        certificate = x509.load_pem_x509_certificate(answer["certificate"].encode())
        assert (response.status, answer["lifetime_seconds"] in (3599, 3600), answer["serial"]) == (201, True, "1234")
        assert certificate.public_key() == ada.key.public_key()
        kind, record = at.records[-1]
        assert (kind, record["cluster"], record["login"], record["body"]["serial"]) == (
            "cert.issue",
            "staging-eu",
            ada.login_id,
            "1234",
        )

    async def test_it_does_not_outlive_the_login(self, ada: Engineer, at: Installation) -> None:
        await ada.sign_in()
        at.now += 36_000 - 1_000
        login = (await at.store.live_logins(at.now))[0]
        await at.store.update_identity(login.id, login.identity, at.now, None)
        answer = await (await ada.call("POST", CERTIFICATES, {"cluster": "staging-eu", "csr": ada.csr()})).json()
        assert answer["lifetime_seconds"] in (999, 1000)

    @pytest.mark.parametrize(
        ("of_roles", "lifetime"), [((1_800.0, 900.0, None), 900), ((None,), 3_600), ((86_400.0,), 3_600)]
    )
    async def test_it_lives_no_longer_than_the_strictest_role_of_its_cluster_says(
        self, ada: Engineer, at: Installation, of_roles: tuple[float | None, ...], lifetime: int
    ) -> None:
        await ada.sign_in()
        at.policy = bound(*(developer(f"r{i}", options=Options(one)) for i, one in enumerate(of_roles)))
        answer = await (await ada.call("POST", CERTIFICATES, {"cluster": "staging-eu", "csr": ada.csr()})).json()
        assert answer["lifetime_seconds"] in (lifetime - 1, lifetime)

    async def test_none_is_handed_out_without_a_record(self, ada: Engineer, at: Installation) -> None:
        await ada.sign_in()
        at.log_down = True
        response = await ada.call("POST", CERTIFICATES, {"cluster": "staging-eu", "csr": ada.csr()})
        assert (response.status, await response.json()) == (
            503,
            {
                "error": "log_unavailable",
                "message": "the server cannot write its audit log, and does nothing without a record; "
                "tell your platform team",
            },
        )

    @pytest.mark.parametrize(
        ("cluster", "status", "reason"),
        [("prod", 403, "no_role"), ("nowhere", 403, "unknown_cluster"), ("../x", 403, "unknown_cluster")],
    )
    async def test_a_cluster_without_a_role_is_refused_with_the_next_step(
        self, ada: Engineer, at: Installation, cluster: str, status: int, reason: str
    ) -> None:
        await ada.sign_in()
        response = await ada.call("POST", CERTIFICATES, {"cluster": cluster, "csr": ada.csr()})
        answer = await response.json()
        assert (response.status, answer["error"], "next" in answer) == (status, reason, True)
        assert (at.records[-1][0], at.records[-1][1]["body"]["reason"]) == ("cert.refuse", reason)

    async def test_another_key_than_the_logins_is_refused(self, ada: Engineer, at: Installation) -> None:
        await ada.sign_in()
        csr = ada.csr(ec.generate_private_key(ec.SECP256R1()))
        response = await ada.call("POST", CERTIFICATES, {"cluster": "staging-eu", "csr": csr})
        assert (response.status, (await response.json())["error"]) == (400, "csr_invalid")

    async def test_a_locked_person_gets_none(self, ada: Engineer, at: Installation) -> None:
        await ada.sign_in()
        await at.store.add_lock(stolen(at))
        response = await ada.call("POST", CERTIFICATES, {"cluster": "staging-eu", "csr": ada.csr()})
        answer = await response.json()
        assert (response.status, answer) == (
            403,
            {
                "error": "locked",
                "message": "you are locked out by lock l1",
                "next": "ask your security team to remove the lock",
            },
        )
        assert (at.records[-1][0], at.records[-1][1]["body"]["reason"]) == ("cert.refuse", "locked")

    async def test_a_locked_cluster_is_certified_to_nobody_and_another_one_is(
        self, ada: Engineer, at: Installation
    ) -> None:
        await ada.sign_in()
        target = LockTarget(LockKind.CLUSTER, "staging-eu")
        await at.store.add_lock(Lock("l1", target, "break-in", at.now, "bob", shows_reason=True))
        response = await ada.call("POST", CERTIFICATES, {"cluster": "staging-eu", "csr": ada.csr()})
        answer = await response.json()
        assert (response.status, answer["message"]) == (403, "cluster 'staging-eu' is locked by lock l1: break-in")
        question = {"verb": "get", "resource": "pods", "namespace": "a"}
        answers = [await ada.call("POST", "/api/v1/can-i", {"cluster": c, **question}) for c in ("staging-eu", "prod")]
        assert [one.status for one in answers] == [403, 200]
        assert (await ada.call("GET", CURRENT)).status == 200

    async def test_stale_groups_get_none(self, ada: Engineer, at: Installation) -> None:
        await ada.sign_in()
        at.now += 3_601
        response = await ada.call("POST", CERTIFICATES, {"cluster": "staging-eu", "csr": ada.csr()})
        assert (response.status, (await response.json())["error"]) == (403, "groups_stale")


class TestLogins:
    async def test_a_login_sees_itself(self, ada: Engineer, at: Installation) -> None:
        made = await ada.sign_in()
        assert await (await ada.call("GET", CURRENT)).json() == made

    async def test_after_logout_it_is_over(self, ada: Engineer, at: Installation) -> None:
        await ada.sign_in()
        assert (await ada.call("DELETE", CURRENT)).status == 204
        answer = await (await ada.call("GET", CURRENT)).json()
        assert answer == {
            "error": "login_ended",
            "message": "this login has ended",
            "next": "run `kwit login` to sign in again",
        }
        assert at.kinds() == ["user.login", "user.logout"]

    async def test_logging_out_twice_is_no_error_and_one_record(self, ada: Engineer, at: Installation) -> None:
        await ada.sign_in()
        assert [(await ada.call("DELETE", CURRENT)).status for _ in range(2)] == [204, 204]
        assert at.kinds() == ["user.login", "user.logout"]

    async def test_a_locked_person_cannot_sign_in_again(self, ada: Engineer, at: Installation) -> None:
        await at.store.add_lock(stolen(at))
        response = await ada.redeem(await ada.code())
        assert (response.status, at.kinds()) == (403, ["user.login.failed"])
        assert at.records[0][1]["body"] == {
            "connector": "corp",
            "reason": "locked",
            "message": "you are locked out by lock l1",
        }

    async def test_whatever_a_locked_person_asks_is_refused_and_recorded_but_signing_out(
        self, ada: Engineer, at: Installation
    ) -> None:
        await ada.sign_in()
        await at.store.add_lock(stolen(at))
        at.records.clear()
        asked = [("GET", CURRENT), ("GET", "/api/v1/recordings"), ("GET", "/api/v1/locks")]
        assert [(await ada.call(*one)).status for one in asked] == [403] * 3
        details = [f"{method} {path}" for method, path in asked]
        assert [(kind, one["outcome"], one["body"]["detail"]) for kind, one in at.records] == [
            ("request.refused", "refused", detail) for detail in details
        ]
        assert {one["actor"]["username"] for _, one in at.records} == {"ada@example.com"}
        assert (await ada.call("DELETE", CURRENT)).status == 204


class TestMayI:
    @pytest.mark.parametrize(("verb", "allowed"), [("get", True), ("delete", False)])
    async def test_the_verdict_is_told_with_its_role(self, ada: Engineer, verb: str, allowed: bool) -> None:
        await ada.sign_in()
        question = {"cluster": "staging-eu", "verb": verb, "resource": "pods", "namespace": "a"}
        answer = await (await ada.call("POST", "/api/v1/can-i", question)).json()
        assert (answer["allowed"], answer["role"]) == (allowed, "developer")

    @pytest.mark.parametrize(
        ("question", "rule"),
        [
            ({"verb": "create", "resource": "pods", "subresource": "exec", "name": "x"}, "allow[1]"),
            ({"verb": "exec", "resource": "pods", "name": "x"}, "allow[1]"),
            ({"verb": "get", "path": "/api/v1/namespaces/a/pods/x/exec"}, "allow[1]"),
            ({"verb": "get", "path": "/metrics"}, "allow[2]"),
            ({"verb": "get", "resource": "pods", "as": "bob"}, "allow[0]"),
            ({"verb": "get", "resource": "pods", "as": "bob", "as_groups": ["qa"], "as_uid": "7"}, "allow[0]"),
            ({"verb": "get", "resource": "pods", "as": "eve"}, ""),
            ({"verb": "get", "resource": "pods", "as": "bob", "as_groups": ["root"]}, ""),
            ({"verb": "get", "path": "/logs"}, ""),
            ({"verb": "patch", "resource": "configmaps"}, "allow[4]"),
            ({"verb": "patch", "resource": "configmaps", "server_side": True}, ""),
        ],
    )
    async def test_what_a_request_would_need_is_what_is_asked_for(
        self, ada: Engineer, at: Installation, question: dict[str, object], rule: str
    ) -> None:
        await ada.sign_in()
        allow = (
            Rule(("get",), ("",), ("pods",)),
            Rule(("create",), ("",), ("pods/exec",)),
            Rule(("get",), non_resource_urls=("/metrics",)),
            Rule(
                ("impersonate",), ("", "authentication.k8s.io"), ("users", "groups", "uids"), names=("bob", "qa", "7")
            ),
        )
        at.policy = bound(developer(allow=(*allow, Rule(("patch",), ("",), ("configmaps",)))))
        answer = await (await ada.call("POST", "/api/v1/can-i", {"cluster": "staging-eu"} | question)).json()
        assert (answer["allowed"], answer["rule"]) == (rule != "", rule)

    @pytest.mark.parametrize("cluster", ["staging-eu", "staging-us"])
    async def test_a_name_of_the_system_is_asked_of_the_cluster_in_question(
        self, ada: Engineer, at: Installation, cluster: str
    ) -> None:
        await ada.sign_in()
        at.policy = bound(developer(as_groups=("system:authenticated",)), system_names=["system:authenticated"])
        at.system_names = {cluster: ("system:authenticated",)}
        question = {"cluster": "staging-eu", "verb": "get", "resource": "pods"}
        answer = await (await ada.call("POST", "/api/v1/can-i", question)).json()
        assert answer["allowed"] == (cluster == "staging-eu")

    @pytest.mark.parametrize(
        ("question", "sentence"),
        [
            ({"verb": "*", "resource": "pods"}, "'*' is not a verb; ask about one of attach bind "),
            (
                {"verb": "get", "resource": "pods", "server_side": True},
                "a server-side apply is a patch; ask about patch",
            ),
            ({"verb": "patch", "resource": "pods", "server_side": "yes"}, "`server_side` must be true or false"),
            ({"verb": "get", "path": "/a//b"}, "a request with this path is refused: an empty or dot segment"),
            (
                {"verb": "get", "resource": "pods", "as_groups": ["a"]},
                "impersonation needs exactly one user: give `as`",
            ),
            ({"verb": "get", "resource": "pods", "as_uid": "7"}, "impersonation needs exactly one user: give `as`"),
            ({"verb": "get", "as": "a", "as_groups": "b"}, "`as_groups` must be a list of at most 500 texts"),
            ({"verb": "get", "as": "a", "as_groups": [1]}, "`as_groups` must be a list of at most 500 texts"),
            ({"verb": "get", "as": "a", "as_groups": ["g"] * 501}, "`as_groups` must be a list of at most 500 texts"),
            ({"verb": "get", "path": "/" + "a" * 4096}, "`path` must be text of at most 4096 characters"),
        ],
    )
    async def test_a_question_about_no_request_is_refused_with_a_sentence(
        self, ada: Engineer, question: dict[str, object], sentence: str
    ) -> None:
        await ada.sign_in()
        response = await ada.call("POST", "/api/v1/can-i", {"cluster": "staging-eu"} | question)
        answer = await response.json()
        assert (response.status, answer["error"], answer["message"][: len(sentence)]) == (400, "bad_request", sentence)


class TestProofs:
    @pytest.mark.parametrize(
        "changes",
        [
            {"htm": "POST"},
            {"htu": "https://elsewhere.example" + CURRENT},
            {"login": "a" * 26},
            {"login": "../" + "a" * 23},
            {"jti": "short"},
            {"iat": "1"},
            {"iat": True},
            {"htu": None},
        ],
    )
    async def test_one_made_for_another_call_is_refused(self, ada: Engineer, changes: dict[str, object]) -> None:
        await ada.sign_in()
        response = await ada.call("GET", CURRENT, **changes)
        assert (response.status, (await response.json())["error"] in ("proof_invalid", "login_unknown")) == (401, True)

    async def test_one_is_good_once(self, ada: Engineer, at: Installation) -> None:
        await ada.sign_in()
        headers = {"DPoP": ada.proof("GET", CURRENT)}
        assert [(await at.get(at.deps.url + CURRENT, headers=headers)).status for _ in range(2)] == [200, 401]

    async def test_another_key_is_refused(self, ada: Engineer, at: Installation) -> None:
        await ada.sign_in()
        thief = Engineer(at, login_id=ada.login_id)
        assert (await thief.call("GET", CURRENT)).status == 401

    @pytest.mark.parametrize("seconds", [-301, 301])
    async def test_a_wrong_clock_is_told_the_right_time(self, ada: Engineer, at: Installation, seconds: int) -> None:
        await ada.sign_in()
        response = await ada.call("GET", CURRENT, iat=int(at.now) + seconds)
        answer = await response.json()
        assert (response.status, answer["error"], answer["server_time"]) == (401, "clock", at.now)

    async def test_none_or_two_are_refused(self, ada: Engineer, at: Installation) -> None:
        await ada.sign_in()
        assert (await at.get(at.deps.url + CURRENT)).status == 401
        two = [("DPoP", ada.proof("GET", CURRENT)), ("DPoP", ada.proof("GET", CURRENT))]
        assert (await at.browser.get(at.deps.url + CURRENT, headers=two)).status == 401

    async def test_a_symmetric_one_is_refused(self, ada: Engineer, at: Installation) -> None:
        await ada.sign_in()
        forged = jwt.encode({"login": ada.login_id}, b"k" * 32, algorithm="HS256", headers={"typ": "dpop+jwt"})
        assert (await at.get(at.deps.url + CURRENT, headers={"DPoP": forged})).status == 401


class TestBodies:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"[]",
            b"{",
            b'{"code":"a","code":"b","code_verifier":"c","public_key":"d"}',
            b'{"code":1,"code_verifier":"c","public_key":"d"}',
            b'{"code":"\\ud800","code_verifier":"c","public_key":"d"}',
            b'{"code":"a","code_verifier":"c","public_key":"-----BEGIN PUBLIC KEY-----"}',
            b'{"code":NaN}',
            b"\xff",
            b'{"a":' + b"[" * 40 + b"]" * 40 + b"}",
            json.dumps({"code": "x" * 40_000}).encode(),
        ],
    )
    async def test_one_that_is_not_as_agreed_is_refused(self, at: Installation, body: bytes) -> None:
        response = await at.browser.post(
            at.deps.url + "/api/v1/logins", data=body, headers={"Content-Type": "application/json"}
        )
        assert (response.status, (await response.json())["error"]) == (400, "bad_request")

    @pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded"])
    async def test_a_form_of_another_site_cannot_be_a_call(self, at: Installation, kind: str) -> None:
        response = await at.browser.post(at.deps.url + "/api/v1/logins", data=b"{}", headers={"Content-Type": kind})
        assert response.status == 400

    async def test_a_compressed_one_is_refused(self, at: Installation) -> None:
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        response = await at.browser.post(at.deps.url + "/api/v1/logins", data=b"{}", headers=headers)
        assert response.status == 400


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/api/v1/nothing", 404), ("PUT", CURRENT, 405), ("GET", CERTIFICATES, 405), ("HEAD", "/login", 405)],
)
async def test_what_is_not_there_says_so(at: Installation, method: str, path: str, status: int) -> None:
    assert (await at.browser.request(method, at.deps.url + path)).status == status


async def test_without_its_state_the_server_says_so(at: Installation, ada: Engineer) -> None:
    await ada.sign_in()
    await at.store.close()
    response = await ada.call("GET", CURRENT)
    assert (response.status, (await response.json())["error"]) == (503, "state_stale")


async def test_a_login_whose_groups_cannot_be_read_again_ends_when_they_would_be_too_old(at):
    tokens = at.provider._tokens
    at.provider._tokens = lambda nonce: {k: v for k, v in tokens(nonce).items() if k != "refresh_token"}
    answer = await Engineer(at).sign_in()
    assert (at.deps.login_ttl, at.deps.groups_max_age) == (36_000.0, 3_600.0)
    assert 3_590 <= answer["login"]["expires_in"] <= 3_600
