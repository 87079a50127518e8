"""The sample people, and what each scope tells of them (OpenID Connect Core 1.0, section 5.4)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Person:
    """One sample person. `about` is for the page on which one is picked."""

    username: str
    name: str
    groups: tuple[str, ...]
    about: str

    def claims(self, scopes: Collection[str]) -> dict[str, object]:
        """The claims that `scopes` open; `groups` is a scope of its own, as Dex and many others have it."""
        claims: dict[str, object] = {"sub": f"sandbox-{self.username}"}
        if "profile" in scopes:
            claims |= {"name": self.name, "preferred_username": self.username}
        if "email" in scopes:
            claims |= {"email": f"{self.username}@example.com", "email_verified": True}
        if "groups" in scopes:
            claims["groups"] = list(self.groups)
        return claims


PEOPLE = (
    Person("alice", "Alice Adler", ("eng",), "develops the shop"),
    Person("bob", "Bob Brandt", ("support",), "helps its customers"),
    Person("mallory", "Mallory Moor", (), "has an account and no business here"),
)
