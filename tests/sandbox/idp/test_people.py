"""What is told of a person depends on the scopes that were asked for."""

from __future__ import annotations

from deploy.sandbox.idp.people import PEOPLE


def test_each_scope_opens_its_own_claims() -> None:
    alice = PEOPLE[0]
    assert alice.claims(("openid",)) == {"sub": "sandbox-alice"}
    assert alice.claims(("openid", "profile", "email", "groups")) == {
        "sub": "sandbox-alice",
        "name": "Alice Adler",
        "preferred_username": "alice",
        "email": "alice@example.com",
        "email_verified": True,
        "groups": ["eng"],
    }


def test_the_three_are_a_developer_a_supporter_and_nobody() -> None:
    assert {person.username: person.groups for person in PEOPLE} == {
        "alice": ("eng",),
        "bob": ("support",),
        "mallory": (),
    }
