"""Who calls and for whom: credentials, and impersonation as a real server reads it."""

from __future__ import annotations

import pytest

from deploy.sandbox.apiserver.caller import ACCOUNT, AUTHENTICATED, Caller, Subject, authenticate, impersonated
from deploy.sandbox.apiserver.problem import Problem

TOKEN = "t0ken"
ALICE = Subject("alice", ("eng", "ops"))


def test_a_token_is_the_proxys_account() -> None:
    found = authenticate([("authorization", "Bearer t0ken")], TOKEN, None)
    groups = ("system:serviceaccounts", "system:serviceaccounts:kwit", AUTHENTICATED)
    assert found == Caller(ACCOUNT, groups)


def test_a_certificate_is_its_owner() -> None:
    assert authenticate([], TOKEN, ALICE) == Caller("alice", ("eng", "ops", AUTHENTICATED))


@pytest.mark.parametrize(
    ("headers", "certificate"),
    [
        ([], None),
        ([], Subject("", ("eng",))),
        ([("Authorization", "Bearer wrong")], None),
        ([("Authorization", "Bearer wrong")], ALICE),
        ([("Authorization", "Basic t0ken")], None),
        ([("Authorization", "Bearer wrong"), ("Authorization", "Bearer t0ken")], None),
        ([("Authorization", "Bearer é")], None),
    ],
)
def test_who_shows_nothing_or_something_wrong_is_nobody(
    headers: list[tuple[str, str]], certificate: Subject | None
) -> None:
    with pytest.raises(Problem) as caught:
        authenticate(headers, TOKEN, certificate)
    assert (caught.value.code, str(caught.value)) == (401, "Unauthorized")


@pytest.mark.parametrize(
    ("headers", "caller"),
    [
        ([], None),
        ([("Impersonate-User", "bob")], Caller("bob", (AUTHENTICATED,))),
        (
            [("impersonate-user", "bob"), ("IMPERSONATE-GROUP", "g"), ("Impersonate-Group", "h")],
            Caller("bob", ("g", "h", AUTHENTICATED)),
        ),
        (
            [("Impersonate-User", "bob"), ("Impersonate-Group", AUTHENTICATED)],
            Caller("bob", (AUTHENTICATED,)),
        ),
        (
            [
                ("Impersonate-User", "bob"),
                ("Impersonate-Uid", "7"),
                ("Impersonate-Extra-Kubewitness.dev%2fLogin", "x"),
                ("Impersonate-Extra-Kubewitness.dev%2fLogin", "y"),
            ],
            Caller("bob", (AUTHENTICATED,), "7", (("kubewitness.dev/login", "x"), ("kubewitness.dev/login", "y"))),
        ),
        (
            [("Impersonate-User", "system:serviceaccount:shop:robot")],
            Caller(
                "system:serviceaccount:shop:robot",
                ("system:serviceaccounts", "system:serviceaccounts:shop", AUTHENTICATED),
            ),
        ),
        (
            [("Impersonate-User", "bob"), ("Impersonate-Group", "system:unauthenticated")],
            Caller("bob", ("system:unauthenticated",)),
        ),
        ([("Impersonate-User", "system:anonymous")], Caller("system:anonymous", ("system:unauthenticated",))),
    ],
)
def test_whom_a_request_is_for(headers: list[tuple[str, str]], caller: Caller | None) -> None:
    assert impersonated(headers) == caller


@pytest.mark.parametrize("header", ["Impersonate-Group", "Impersonate-Uid", "Impersonate-Extra-X"])
def test_there_is_no_impersonation_of_nobody(header: str) -> None:
    with pytest.raises(Problem) as caught:
        impersonated([(header, "x")])
    assert caught.value.code == 400
