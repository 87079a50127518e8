"""A store whose clock stands and whose ids count."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest

from deploy.sandbox.apiserver.controllers import Controllers
from deploy.sandbox.apiserver.kinds import BY_RESOURCE, NAMESPACE
from deploy.sandbox.apiserver.objects import Objects
from deploy.sandbox.apiserver.resources import Answer, Asked, Resources
from proxy.request_info import parse
from proxy.target import canonical

NOW = "2026-01-02T03:04:05Z"
Call = Callable[..., Answer]


@pytest.fixture
def objects() -> Objects:
    """With the namespaces `a` and `b`."""
    count = itertools.count(1)
    objects = Objects(now=lambda: NOW, new_id=lambda: f"00000000-0000-0000-0000-{next(count):012}")
    for name in ("a", "b"):
        spec = {"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
        objects.create(NAMESPACE, "", {"metadata": {"name": name}} | spec)
    return objects


def caller(resources: Resources) -> Call:
    def call(method: str, path: str, body: Any = None, media_type: str = "application/json") -> Answer:
        """Send one request; the body is JSON's value or bytes."""
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        target = canonical(path.encode())
        info = parse(method, target)
        kind = BY_RESOURCE[(info.api_group, info.api_version, info.resource)]
        return resources.answer(kind, Asked(info, target, media_type, data, "tests/1"))

    return call


@pytest.fixture
def call(objects: Objects) -> Call:
    """Requests to an API without controllers."""
    return caller(Resources(objects, None))


@pytest.fixture
def settled(objects: Objects) -> Call:
    """Requests to an API whose controllers act."""
    return caller(Resources(objects, Controllers(objects)))
