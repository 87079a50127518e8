"""The example objects: what a newcomer finds, and that a second seeding is refused rather than doubled."""

from __future__ import annotations

from collections import Counter

import pytest

from deploy.sandbox.apiserver.problem import Problem
from deploy.sandbox.apiserver.seed import seeds
from tests.sandbox.apiserver.conftest import Call


def test_all_of_it_can_be_created_in_this_order_and_once(settled: Call) -> None:
    for path, o in seeds():
        assert settled("POST", path, o).status == 201
    with pytest.raises(Problem, match="already exists"):
        settled("POST", *next(seeds()))


def test_it_is_a_small_shop_in_two_stages() -> None:
    found = Counter((path.partition("/namespaces/")[2].partition("/")[0], o["kind"]) for path, o in seeds())
    here = {"ConfigMap": 1, "Deployment": 2, "Service": 2, "Pod": 1}
    assert found == (
        {("", "Namespace"): 2, ("shop-prod", "Secret"): 1}
        | {("shop-prod", kind): count for kind, count in here.items()}
        | {("shop-dev", kind): count for kind, count in here.items()}
    )
