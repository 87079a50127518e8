"""A context is looked for where kubectl looks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from proxy.cli.client.problem import Problem
from proxy.demo.own_cluster import Own, find


def config(path: Path, *names: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("contexts:\n" + "".join(f"- {{name: {name}, context: {{}}}}\n" for name in names))
    return path


def test_the_first_file_that_has_it_wins(tmp_path: Path) -> None:
    one, two = config(tmp_path / "one", "a"), config(tmp_path / "two", "b", "a")
    environ = {"KUBECONFIG": os.pathsep.join(("", str(tmp_path / "absent"), str(one), str(two)))}
    assert find("a", environ) == Own("a", one)
    assert find("b", environ) == Own("b", two)


def test_without_the_variable_it_is_the_home_directorys(tmp_path: Path) -> None:
    path = config(tmp_path / ".kube" / "config", "a")
    assert find("a", {"HOME": str(tmp_path)}) == Own("a", path)


def test_a_context_that_is_not_there_is_answered_with_those_that_are(tmp_path: Path) -> None:
    environ = {"KUBECONFIG": str(config(tmp_path / "one", "a", "b"))}
    with pytest.raises(Problem, match=r"has no context 'c'; it has: a, b$") as caught:
        find("c", environ)
    assert caught.value.exit_code == 2
    (tmp_path / "empty").touch()
    with pytest.raises(Problem, match=r"it has: none$"):
        find("c", {"KUBECONFIG": str(tmp_path / "empty")})


def test_a_context_of_ours_would_be_a_proxy_behind_itself(tmp_path: Path) -> None:
    with pytest.raises(Problem, match=r"^kwit-prod leads to kwit already; name the context of the cluster behind it$"):
        find("kwit-prod", {"KUBECONFIG": str(config(tmp_path / "one", "kwit-prod"))})


@pytest.mark.parametrize("text", ["[", "contexts: [1]", "contexts: 1", "[]", "contexts: [{}]"])
def test_what_is_no_kubeconfig_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "one").write_text(text)
    with pytest.raises(Problem, match=r"one (is no kubeconfig|has no context)"):
        find("a", {"KUBECONFIG": str(tmp_path / "one")})


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="cannot be read: Is a directory"):
        find("a", {"KUBECONFIG": str(tmp_path)})
