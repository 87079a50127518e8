# ruff: noqa: E501 - a mistake and its sentence read best on one line
"""Role files: what is read, what is refused and where, and what a change on disk does."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.rbac import (
    ConditionError,
    Decision,
    Options,
    Policy,
    PolicyError,
    Role,
    RoleBinding,
    Rule,
    Source,
    Subject,
    compile_policy,
)
from auth.rbac.ports import PortRange, Ports
from auth.role_files import MAX_CONDITION, MAX_FILE_BYTES, MAX_FILES, RoleFiles, compile_condition, load

EXAMPLES = Path(__file__).parents[2] / "deploy/examples/roles"

ROLE = """\
apiVersion: kubewitness.dev/v1
kind: Role
metadata: {name: dev}
spec:
  allow:
    - {apiGroups: [""], resources: [pods], verbs: [get]}
"""
FULL = """\
# a comment
---
apiVersion: kubewitness.dev/v1
kind: Role
metadata: {name: dev, labels: {team: a}, annotations: {owner: b}}
spec:
  clusters: {names: ["staging-*"], labels: {env: staging}}
  as: {user: "{{ username }}", groups: ["kwit:{{ claims.team }}"]}
  allow:
    - {apiGroups: [""], resources: [pods], verbs: [get], namespaces: [a, "b-*"], labels: {tier: web}}
    - {apiGroups: [""], resources: [pods], verbs: [exec], namespaces: {except: [kube-system]}, names: {except: [x]}}
    - {nonResourceURLs: ["/metrics"], verbs: [get]}
  deny:
    - {apiGroups: [""], resources: [secrets], verbs: ["*"], names: [n], requestable: true}
  options: {certificateTTL: 30m, record: strict, requireReason: [exec], requireMFA: [attach], maxStreams: 5,
            hideUnechoedInput: true, forwardPorts: [80, "9000-9100"]}
---
apiVersion: kubewitness.dev/v1
kind: RoleBinding
metadata: {name: devs}
spec:
  role: dev
  subjects: [{kind: Group, connector: corp, name: eng}, {kind: User, name: ann}]
  when: 'claims.kind == "staff"'
---
"""


def mistakes(folder: Path, text: str | bytes) -> list[str]:
    (folder / "r.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(PolicyError) as caught:
        load(folder)
    return list(caught.value.mistakes)


def changed(old: str, new: str) -> str:
    assert ROLE.count(old) == 1
    return ROLE.replace(old, new)


def test_every_field_is_read(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(FULL)
    assert load(tmp_path) == (
        [
            Role(
                "dev",
                ("staging-*",),
                (("env", "staging"),),
                "{{ username }}",
                ("kwit:{{ claims.team }}",),
                (
                    Rule(("get",), ("",), ("pods",), namespaces=("a", "b-*"), labels=(("tier", "web"),)),
                    Rule(("exec",), ("",), ("pods",), except_namespaces=("kube-system",), except_names=("x",)),
                    Rule(("get",), non_resource_urls=("/metrics",)),
                ),
                (Rule(("*",), ("",), ("secrets",), names=("n",), requestable=True),),
                Options(
                    1800.0, "strict", ("exec",), ("attach",), 5, True, Ports((PortRange(80, 80), PortRange(9000, 9100)))
                ),
                Source("r.yaml", 3, "Role dev"),
            )
        ],
        [
            RoleBinding(
                "devs",
                "dev",
                (Subject("Group", "eng", "corp"), Subject("User", "ann")),
                'claims.kind == "staff"',
                Source("r.yaml", 18, "RoleBinding devs"),
            )
        ],
    )


def test_what_is_left_out_has_the_safe_default(tmp_path: Path) -> None:
    (tmp_path / "r.yml").write_text(ROLE)
    rules = (Rule(("get",), ("",), ("pods",)),)
    assert load(tmp_path) == ([Role("dev", allow=rules, source=Source("r.yml", 1, "Role dev"))], [])


@pytest.mark.parametrize(("written", "seconds"), [("90s", 90.0), ("30m", 1800.0), ("8h", 28800.0), ("1d", 86400.0)])
def test_durations_have_a_unit(tmp_path: Path, written: str, seconds: float) -> None:
    (tmp_path / "r.yaml").write_text(ROLE + f"  options: {{certificateTTL: {written}}}\n")
    assert load(tmp_path)[0][0].options.certificate_ttl_seconds == seconds


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (changed("kind: Role", "kind: Rule"), 'r.yaml:2: kind: "Rule" is not accepted; expected Role or RoleBinding'),
        (changed("v1", "v2"), "r.yaml:1: apiVersion: \"kubewitness.dev/v2\" is not accepted; expected 'kubewitness.dev/v1'"),
        (changed("{name: dev}", "{name: Dev X}"), 'r.yaml:3: metadata.name: "Dev X" is not accepted; expected a name of lower-case letters, digits, - and .'),
        (changed("{name: dev}", "{}"), "r.yaml:3: metadata.name: expected a value: the key is missing"),
        (changed("verbs", "verb"), "r.yaml:6: spec.allow[0].verbs: expected a value: the key is missing"),
        (changed("[get]", "get"), 'r.yaml:6: spec.allow[0].verbs: "get" is not accepted; expected a list'),
        (changed("[get]", "[on]"), "r.yaml:6: spec.allow[0].verbs[0]: true is not accepted; expected text; put it in quotes if it looks like a number, a date or yes and no"),
        (changed("verbs: [get]", "verbs: [get], namespaces: "), "r.yaml:6: spec.allow[0].namespaces: expected a value; or remove the key"),
        (changed("verbs: [get]", "verbs: [get], names: [~]"), "r.yaml:6: spec.allow[0].names[0]: expected a value; or remove the key"),
        (changed("verbs: [get]", "verbs: [get], names: {except: []}"), "r.yaml:6: spec.allow[0].names.except: [] is not accepted; expected list should have at least 1 item after validation, not 0"),
        (changed("verbs: [get]", "verbs: [get], when: x"), "r.yaml:6: spec.allow[0].when: expected no such key here"),
        (changed("spec:", "spec: []\nx:"), "r.yaml:4: spec: [] is not accepted; expected a section: keys with values, indented below it"),
        (ROLE + "  options: {certificateTTL: 30}\n", "r.yaml:7: spec.options.certificateTTL: 30 is not accepted; expected text; put it in quotes if it looks like a number, a date or yes and no"),
        (ROLE + "  options: {certificateTTL: 0m}\n", 'r.yaml:7: spec.options.certificateTTL: "0m" is not accepted; expected a duration such as 90s, 30m, 8h or 1d'),
        (ROLE + "  options: {maxStreams: -1}\n", "r.yaml:7: spec.options.maxStreams: -1 is not accepted; expected greater than or equal to 0"),
        (ROLE + "  options: {maxStreams: many}\n", 'r.yaml:7: spec.options.maxStreams: "many" is not accepted; expected a whole number'),
        (ROLE + "  options: {hideUnechoedInput: 1}\n", "r.yaml:7: spec.options.hideUnechoedInput: 1 is not accepted; expected true or false"),
        (ROLE + "  options: {forwardPorts: [80, 0]}\n", "r.yaml:7: spec.options.forwardPorts[1]: 0 is not accepted; expected a port from 1 to 65535, or a range such as 9000-9100"),
        (ROLE + "  options: {forwardPorts: [on]}\n", "r.yaml:7: spec.options.forwardPorts[0]: true is not accepted; expected a port from 1 to 65535, or a range such as 9000-9100"),
        (ROLE + "  options: {forwardPorts: []}\n", "r.yaml:7: spec.options.forwardPorts: [] is not accepted; expected list should have at least 1 item after validation, not 0"),
        (ROLE + "  allow: []\n", "r.yaml:7: the key 'allow' stands twice, first in line 5; keep one"),
        (ROLE + "  deny: &a []\n  x: *a\n", "r.yaml:7: anchors and aliases are not accepted; write the value out"),
        (ROLE + "  ? [a]\n  : b\n", "r.yaml:7: a key must be plain text"),
        (ROLE + "  deny: !!set {a}\n", "r.yaml:7: the tag tag:yaml.org,2002:set is not accepted"),
        (ROLE + "  deny: [\n", "r.yaml:8: not YAML: expected the node content, but found '<stream end>'"),
        (ROLE + "\t", "r.yaml:7: not YAML: found character '\\t' that cannot start any token"),
        ("- a\n", 'r.yaml:1: ["a"] is not accepted; expected a Role or RoleBinding: apiVersion, kind, metadata, spec'),
        ("", "r.yaml:1: holds no document; remove the file if it shall say nothing"),
        ("---\n# nothing\n---\n", "r.yaml:1: holds no document; remove the file if it shall say nothing"),
        ("a: 2026-13-99\n", "r.yaml:1: not YAML: month must be in 1..12"),
        ("a: \x00", "r.yaml:1: not YAML: unacceptable character #x0000: special characters are not allowed"),
        ("[" * 5000, "r.yaml:1: nested too deeply"),
        (b"a: b\nc: \xff\n", "r.yaml:2: not UTF-8"),
        ("#" * (MAX_FILE_BYTES + 1), f"r.yaml:1: longer than {MAX_FILE_BYTES} bytes"),
    ],
)  # fmt: skip
def test_a_mistake_has_file_line_path_value_and_expectation(tmp_path: Path, text: str | bytes, mistake: str) -> None:
    assert mistake in mistakes(tmp_path, text)


def test_a_long_value_is_shown_by_its_beginning(tmp_path: Path) -> None:
    (found,) = mistakes(tmp_path, changed("[get]", "x" * 500))
    assert found == f'r.yaml:6: spec.allow[0].verbs: "{"x" * 78}… is not accepted; expected a list'


def test_all_mistakes_of_all_files_and_documents_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("kind: x\n---\nkind: y\n")
    (tmp_path / "b.yaml").write_text("[")
    found = mistakes(tmp_path, ROLE + "  x: 1\n  y: 2\n")
    assert [text.split(" ")[0] for text in found] == ["a.yaml:1:", "a.yaml:3:", "b.yaml:1:", "r.yaml:7:", "r.yaml:8:"]


def test_what_makes_no_sense_has_the_line_of_its_part(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(FULL.replace("role: dev", "role: none").replace("secrets", "Secrets"))
    with pytest.raises(PolicyError) as caught:
        compile_roles(*load(tmp_path))
    lines = FULL.splitlines()
    expected = [
        (
            next(i for i, line in enumerate(lines, 1) if "secrets" in line),
            "Role dev: spec.deny[0].resources: 'Secrets'",
        ),
        (next(i for i, line in enumerate(lines, 1) if "role: dev" in line), "RoleBinding devs: spec.role: there is no"),
    ]
    assert [
        text.startswith(f"r.yaml:{line}: {what}")
        for text, (line, what) in zip(caught.value.mistakes, expected, strict=True)
    ] == [True, True]


def test_only_yaml_files_that_are_not_hidden_are_read(tmp_path: Path) -> None:
    for name in (".hidden.yaml", "notes.txt", "r.yaml~"):
        (tmp_path / name).write_text("[")
    (tmp_path / "..data").mkdir()
    assert load(tmp_path) == ([], [])


def test_a_folder_or_file_that_cannot_be_read_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="No such file or directory; expected a folder of role files"):
        load(tmp_path / "none")
    (tmp_path / "r.yaml").mkdir()
    with pytest.raises(PolicyError, match=r"^r\.yaml:1: cannot be read: Is a directory$"):
        load(tmp_path)


def test_more_files_than_the_limit_are_refused(tmp_path: Path) -> None:
    for i in range(MAX_FILES + 1):
        (tmp_path / f"{i}.yaml").touch()
    with pytest.raises(PolicyError, match=f"more than {MAX_FILES} files"):
        load(tmp_path)


@given(st.text(max_size=60) | st.text("{}[]:,-&*!?|>'\"%@` \n#ab", max_size=40))
def test_whatever_stands_in_a_file_is_read_or_refused_as_a_mistake(text: str) -> None:
    """No other exception: a broken file must never end a reload."""
    folder = Path(os.environ["PYTEST_ROLE_FOLDER"])
    (folder / "r.yaml").write_text(text, encoding="utf-8", errors="surrogatepass")
    with contextlib.suppress(PolicyError):  # anything else that is raised is the failure
        load(folder)


@pytest.fixture(autouse=True)
def _folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_ROLE_FOLDER", str(tmp_path_factory.mktemp("roles")))


# -- reloading


def compile_roles(roles: list[Role], bindings: list[RoleBinding]) -> Policy:
    return compile_policy(roles, bindings, ["corp"], condition=compile_condition)


def replace_file(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


def settle(files: RoleFiles) -> list[bool]:
    return [files.poll(), files.poll(), files.poll()]


def test_a_change_is_in_force_once_it_stood_still_for_a_poll(tmp_path: Path) -> None:
    replace_file(tmp_path / "r.yaml", ROLE)
    files = RoleFiles(tmp_path, compile_roles)
    before = files.policy
    assert settle(files) == [False, False, False]
    assert files.policy is before
    replace_file(tmp_path / "r.yaml", ROLE.replace("get", "list"))
    assert settle(files) == [False, True, False]
    assert files.policy is not before


def test_files_that_come_and_go_are_changes(tmp_path: Path) -> None:
    replace_file(tmp_path / "r.yaml", ROLE)
    files = RoleFiles(tmp_path, compile_roles)
    replace_file(tmp_path / "s.yaml", ROLE.replace("name: dev}", "name: ops}"))
    assert settle(files) == [False, True, False]
    (tmp_path / "r.yaml").unlink()
    assert settle(files) == [False, True, False]


def test_a_file_that_keeps_changing_is_not_read(tmp_path: Path) -> None:
    replace_file(tmp_path / "r.yaml", ROLE)
    files = RoleFiles(tmp_path, compile_roles)
    for i in range(3):
        replace_file(tmp_path / "r.yaml", ROLE + f"# {i}\n")
        assert not files.poll()
    assert files.poll()


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", "r.yaml:1: holds no document; remove the file if it shall say nothing"),
        (ROLE.replace("pods", "pods/*"), "r.yaml:6: Role dev: spec.allow[0].resources: 'pods/*'"),
    ],
)
def test_a_broken_change_keeps_the_last_good_policy_and_shows_why(tmp_path: Path, text: str, mistake: str) -> None:
    replace_file(tmp_path / "r.yaml", ROLE)
    files = RoleFiles(tmp_path, compile_roles)
    before = files.policy
    replace_file(tmp_path / "r.yaml", text)
    assert settle(files) == [False, False, False]
    assert files.policy is before
    assert files.error is not None
    assert files.error.mistakes[0].startswith(mistake)
    replace_file(tmp_path / "r.yaml", ROLE)
    assert settle(files) == [False, True, False]
    assert files.error is None


def test_a_folder_that_vanishes_keeps_the_last_good_policy(tmp_path: Path) -> None:
    folder = tmp_path / "roles"
    folder.mkdir()
    files = RoleFiles(folder, compile_roles)
    folder.rmdir()
    assert settle(files) == [False, False, False]
    assert files.error is not None


def test_what_is_written_while_it_is_read_is_not_taken(tmp_path: Path) -> None:
    replace_file(tmp_path / "r.yaml", ROLE)
    meddle: list[Callable[[], None]] = []

    def compile_slowly(roles: list[Role], bindings: list[RoleBinding]) -> Policy:
        while meddle:
            meddle.pop()()
        return compile_roles(roles, bindings)

    files = RoleFiles(tmp_path, compile_slowly)
    replace_file(tmp_path / "r.yaml", ROLE + "# 1\n")
    meddle.append(lambda: replace_file(tmp_path / "r.yaml", ROLE + "# 2\n"))
    assert settle(files) == [False, False, False]
    assert files.poll()


def test_a_swapped_link_is_a_change_as_kubernetes_makes_it(tmp_path: Path) -> None:
    for version, verb in (("v1", "get"), ("v2", "list")):
        (tmp_path / version).mkdir()
        (tmp_path / version / "r.yaml").write_text(ROLE.replace("get", verb))
    folder = tmp_path / "mount"
    folder.mkdir()
    (folder / "..data").symlink_to(tmp_path / "v1")
    (folder / "r.yaml").symlink_to("..data/r.yaml")
    files = RoleFiles(folder, compile_roles)
    (folder / "..new").symlink_to(tmp_path / "v2")
    (folder / "..new").replace(folder / "..data")
    assert settle(files) == [False, True, False]


def test_without_a_first_good_policy_nothing_starts(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("[")
    with pytest.raises(PolicyError):
        RoleFiles(tmp_path, compile_roles)


def test_a_dangling_link_is_a_mistake_and_no_crash(tmp_path: Path) -> None:
    files = RoleFiles(tmp_path, compile_roles)
    (tmp_path / "r.yaml").symlink_to("nowhere")
    assert settle(files) == [False, False, False]
    assert files.error is not None
    assert files.error.mistakes == ("r.yaml:1: cannot be read: No such file or directory",)


# -- conditions


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ('claims.kind == "staff"', True),
        ('claims.kind == "guest"', False),
        ('username == "ann" && "eng" in groups', True),
        ('groups.exists(g, g.startsWith("en"))', True),
        ("claims.level > 2", True),
    ],
)
def test_a_condition_sees_username_groups_and_claims(text: str, holds: bool) -> None:
    assert compile_condition(text)("ann", ("eng",), {"kind": "staff", "level": 3}) is holds


@pytest.mark.parametrize("text", ["claims.missing == 1", "claims.kind", "claims.kind > 1", "1", "claims.kind / 0 == 1"])
def test_a_condition_that_gives_no_answer_says_so(text: str) -> None:
    with pytest.raises(ConditionError):
        compile_condition(text)("ann", (), {"kind": "staff"})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1 +", "not a CEL expression: "),
        ("", "not a CEL expression: "),
        ("claim.kind == 1", "claim is not known; there are username, groups and claims"),
        ("a" * (MAX_CONDITION + 1), f"longer than {MAX_CONDITION} characters"),
    ],
)
def test_a_condition_that_cannot_be_meant_is_refused(text: str, why: str) -> None:
    with pytest.raises(ConditionError, match=f"^{why}"):
        compile_condition(text)


# -- the examples


def test_the_examples_load_and_do_what_their_comments_say() -> None:
    from auth.rbac import Attributes

    policy = compile_roles(*load(EXAMPLES))

    def verdict(
        groups: str, verb: str, resource: str, namespace: str = "team-a-1", kind: str = "staff", group: str = ""
    ) -> Decision:
        return policy.decide(
            Attributes(
                "corp", "ann", (groups,), {"team": "a", "employee_type": kind}, "staging-1", {"env": "staging"},
                verb, group, resource, "", namespace, "x", "", is_resource_request=True,
            )
        ).decision  # fmt: skip

    assert verdict("eng", "get", "pods", "anywhere") is Decision.ALLOW
    assert verdict("eng", "exec", "pods") is Decision.ALLOW
    assert verdict("eng", "exec", "pods", kind="guest") is Decision.DENY
    assert verdict("eng", "exec", "pods", "team-b-1") is Decision.DENY
    assert verdict("eng", "get", "secrets") is Decision.DENY
    assert verdict("eng", "delete", "pods", "anywhere") is Decision.DENY
    assert verdict("platform", "proxy", "nodes", "") is Decision.ALLOW
    assert verdict("platform", "impersonate", "users", "") is Decision.DENY
    assert verdict("platform", "update", "deployments", "kubewitness") is Decision.DENY
    assert verdict("others", "get", "pods") is Decision.DENY
    assert verdict("secops", "create", "locks", "", group="kubewitness.dev") is Decision.ALLOW
    assert verdict("secops", "list", "records", "", group="kubewitness.dev") is Decision.ALLOW
    assert verdict("secops", "get", "pods") is Decision.DENY
    assert verdict("platform", "create", "locks", "", group="kubewitness.dev") is Decision.DENY
