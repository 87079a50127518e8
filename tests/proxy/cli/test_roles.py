"""`kwit roles lint`, run as a person runs it."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from proxy.cli.client.problem import Problem
from proxy.cli.roles import command

EXAMPLES = Path(__file__).parents[3] / "deploy/examples"
ROLE = """\
apiVersion: kubewitness.dev/v1
kind: Role
metadata: {name: dev}
spec:
  as: {groups: [kwit:dev]}
  allow:
    - {apiGroups: [""], resources: [pods], verbs: [get]}
---
apiVersion: kubewitness.dev/v1
kind: RoleBinding
metadata: {name: devs}
spec: {role: dev, subjects: [{kind: Group, name: eng}]}
"""


def run(*args: str) -> Result:
    return CliRunner().invoke(command, ["lint", *args], standalone_mode=False)


@pytest.fixture
def roles(tmp_path: Path) -> Path:
    folder = tmp_path / "roles"
    folder.mkdir()
    (folder / "dev.yaml").write_text(ROLE)
    return folder


def change(roles: Path, old: str, new: str) -> None:
    assert ROLE.count(old) == 1
    (roles / "dev.yaml").write_text(ROLE.replace(old, new))


def test_roles_in_order_are_counted_and_the_exit_code_is_0(roles: Path) -> None:
    done = run(str(roles))
    assert (done.return_value, done.output.splitlines()[0]) == (0, "ok    roles  1 role, 1 binding")


def test_a_mistake_is_told_with_file_line_value_and_what_is_expected(roles: Path) -> None:
    change(roles, "verbs: [get]", "verbs: [read]")
    done = run(str(roles), "-o", "json")
    (found,) = json.loads(done.output)
    assert (done.return_value, found["level"]) == (1, "fail")
    assert found["message"].startswith(
        "dev.yaml:7: Role dev: spec.allow[0].verbs: 'read': not a verb; expected some of"
    )


def test_what_is_no_yaml_is_a_mistake_too(roles: Path) -> None:
    (roles / "x.yaml").write_text("a: [\n")
    done = run(str(roles))
    assert (done.return_value, "x.yaml:2: not YAML" in done.output) == (1, True)


def test_a_folder_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    done = run(str(tmp_path / "none"))
    assert (done.return_value, "expected a folder of role files" in done.output) == (1, True)


def test_doubts_are_told_and_fail_where_that_is_asked_for(roles: Path) -> None:
    change(roles, "  allow:\n", "  options: {requireMFA: [get]}\n  allow:\n")
    done = run(str(roles))
    assert (done.return_value, "warn  roles  dev.yaml:6: Role dev: spec.options.requireMFA" in done.output) == (0, True)
    assert run(str(roles), "--strict").return_value == 1


@pytest.mark.parametrize(("left", "what"), [("", "no role"), (ROLE.partition("---\n")[0], "no binding")])
def test_roles_that_let_nobody_in_are_a_doubt(roles: Path, left: str, what: str) -> None:
    (roles / "dev.yaml").write_text(left) if left else (roles / "dev.yaml").unlink()
    done = run(str(roles))
    assert (done.return_value, f"there is {what} in {roles}, so every request is refused" in done.output) == (0, True)


def test_without_a_configuration_connectors_and_names_of_the_system_can_be_given(roles: Path) -> None:
    change(roles, "kwit:dev", "system:authenticated")
    assert run(str(roles)).return_value == 1
    assert run(str(roles), "--system-name", "system:authenticated").return_value == 0
    several = run(str(roles), "--system-name", "system:authenticated", "--connector", "a", "--connector", "b")
    assert (
        several.return_value,
        "dev.yaml:12: RoleBinding devs: spec.subjects[0].connector: left out" in several.output,
    ) == (1, True)


def test_subjects_that_name_a_connector_need_none_to_be_given(roles: Path) -> None:
    change(roles, "name: eng", "name: eng, connector: corp")
    assert run(str(roles)).return_value == 0
    assert run(str(roles), "--connector", "corp").return_value == 0
    assert run(str(roles), "--connector", "other").return_value == 1


def test_the_configuration_says_where_roles_are_and_which_connectors_there_are(roles: Path) -> None:
    config = roles.parent / "kwit.yaml"
    config.write_text((EXAMPLES / "kwit.yaml").read_text())
    (roles.parent / "clusters").mkdir()
    change(roles, "name: eng", "name: eng, connector: corp")
    assert run("-c", str(config)).return_value == 0
    change(roles, "name: eng", "name: eng, connector: nowhere")
    done = run("-c", str(config))
    assert (done.return_value, "'nowhere' is not configured" in done.output) == (1, True)
    assert run(str(EXAMPLES / "roles"), "-c", str(config)).return_value == 0


def test_a_configuration_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    done = run("-c", str(tmp_path / "none.yaml"))
    assert isinstance(done.exception, Problem)
    assert "`kwit roles lint DIRECTORY` needs none" in str(done.exception)


@pytest.mark.parametrize(
    "args", [["--connector", "a"], ["--system-name", "system:x"], ["x", "-c", "y", "--connector", "a"]]
)
def test_what_stands_for_a_configuration_does_not_go_with_one(args: list[str]) -> None:
    assert isinstance(run(*args).exception, click.UsageError)
