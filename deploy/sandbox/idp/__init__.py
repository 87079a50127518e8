"""An OpenID provider for loopback, with three sample people and no passwords; strict in all else, as real ones are."""

from deploy.sandbox.idp.people import PEOPLE, Person
from deploy.sandbox.idp.provider import Client, SandboxIdentityProvider

__all__ = ["PEOPLE", "Client", "Person", "SandboxIdentityProvider"]
