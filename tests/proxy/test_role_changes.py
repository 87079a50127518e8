"""Claims about what a change of roles was."""

from __future__ import annotations

from dataclasses import replace

from auth.rbac import Role, RoleBinding, Rule, Subject
from auth.rbac.role import Source
from proxy.role_changes import differences, digest, documents

ROLE = Role("dev", as_groups=("g",), allow=(Rule(("get",), ("",), ("pods",)),))
BINDING = RoleBinding("devs", "dev", (Subject("Group", "eng"),))
NOW = documents([ROLE], [BINDING])


def test_what_is_changed_is_named_with_what_it_was() -> None:
    wider = replace(ROLE, allow=(replace(ROLE.allow[0], verbs=("get", "delete")),))
    assert differences(NOW, documents([wider], [BINDING])) == [
        {
            "kind": "Role",
            "name": "dev",
            "change": "changed",
            "patch": [{"op": "add", "path": "/allow/0/verbs/1", "value": "delete"}],
        }
    ]


def test_what_is_added_and_what_is_removed_is_named_whole() -> None:
    added = differences({}, NOW)
    assert [(one["kind"], one["name"], one["change"]) for one in added] == [
        ("Role", "dev", "added"),
        ("RoleBinding", "devs", "added"),
    ]
    assert added[1]["patch"][0]["value"]["subjects"] == [{"kind": "Group", "name": "eng", "connector": None}]
    assert [one["change"] for one in differences(NOW, {})] == ["removed", "removed"]
    assert differences(NOW, {})[1]["patch"][0]["value"] == added[1]["patch"][0]["value"]


def test_where_something_stands_and_in_which_order_is_no_change() -> None:
    placed = replace(ROLE, source=Source("other.yaml", 7, "role dev"))
    assert differences(NOW, documents([placed], [BINDING])) == []
    other = replace(BINDING, name="more")
    assert digest(documents([placed], [BINDING, other])) == digest(documents([ROLE], [other, BINDING]))
    assert digest(NOW) != digest(documents([ROLE], [replace(BINDING, when="true")]))
