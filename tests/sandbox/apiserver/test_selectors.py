"""Label and field selectors: what they select, how they are written, what is said of those that cannot be read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.sandbox.apiserver.kinds import EVENT, POD
from deploy.sandbox.apiserver.problem import Problem
from deploy.sandbox.apiserver.selectors import match_labels, select, shown


def labelled(labels: dict[str, str]) -> dict[str, Any]:
    return {"metadata": {"labels": labels}}


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("", ["web", "api", "bare"]),
        ("app", ["web", "api"]),
        ("!app", ["bare"]),
        ("app=web", ["web"]),
        ("app==web", ["web"]),
        ("app = web", ["web"]),
        ("app!=web", ["api", "bare"]),
        ("app in (web,api)", ["web", "api"]),
        ("app in ( web , api )", ["web", "api"]),
        ("app notin (web)", ["api", "bare"]),
        ("app,tier=back", ["api"]),
        ("tier=", ["web"]),
        ("app in (web),!tier", []),
        ("a.example/b", ["bare"]),
    ],
)
def test_labels(text: str, selected: list[str]) -> None:
    have = {
        "web": labelled({"app": "web", "tier": ""}),
        "api": labelled({"app": "api", "tier": "back"}),
        "bare": labelled({"a.example/b": "c"}),
    }
    selector = select(POD, text, "")
    assert [name for name, o in have.items() if selector.matches(o)] == selected
    assert selector.selects_all is (text == "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("!!", "unable to parse requirement: found '!', expected: identifier"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        (",", "found ',', expected: !, identifier, or 'end of string'"),
        ("a,,", "found ',', expected: identifier after ','"),
        ("a=b c", "found 'c', expected: ',' or 'end of string'"),
    ],
)
def test_labels_that_cannot_be_read_are_refused_in_the_servers_words(text: str, said: str) -> None:
    with pytest.raises(Problem) as caught:
        select(POD, text, "")
    assert (caught.value.code, str(caught.value)) == (400, said)


POD_OBJECT = {"metadata": {"name": "p"}, "spec": {"hostNetwork": True, "nodeName": "n"}, "status": {"phase": "Running"}}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("metadata.name=p", True),
        ("metadata.name!=p", False),
        ("status.phase==Running,spec.nodeName=n", True),
        ("spec.nodeName=", False),
        ("status.nominatedNodeName=", True),
        ("spec.hostNetwork=true", True),
    ],
)
def test_fields(text: str, matches: bool) -> None:
    assert select(POD, "", text).matches(POD_OBJECT) is matches


def test_an_event_is_selected_by_what_it_is_about_and_by_its_component() -> None:
    event = {"metadata": {"name": "e"}, "involvedObject": {"name": "p"}, "source": {"component": "kubelet"}}
    assert select(EVENT, "", "involvedObject.name=p,source=kubelet").matches(event)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("spec.x=1", "field label not supported: spec.x"),
        ("spec", "invalid selector: 'spec'; can't understand 'spec'"),
    ],
)
def test_fields_that_cannot_be_selected_by(text: str, said: str) -> None:
    with pytest.raises(Problem) as caught:
        select(POD, "", text)
    assert (caught.value.code, str(caught.value)) == (400, said)


def test_a_selector_of_the_api_selects_and_is_shown() -> None:
    selector = {
        "matchLabels": {"b": "2", "a": "1"},
        "matchExpressions": [
            {"key": "c", "operator": "In", "values": ["y", "x"]},
            {"key": "d", "operator": "NotIn", "values": ["z"]},
            {"key": "e", "operator": "Exists"},
            {"key": "f", "operator": "DoesNotExist"},
        ],
    }
    assert shown(selector) == "a=1,b=2,c in (x,y),d notin (z),e,!f"
    assert shown({}) == "<none>"
    assert match_labels(selector).matches(labelled({"a": "1", "b": "2", "c": "x", "e": ""}))
    for wrong in ({"a": "2"}, {"c": "z"}, {"d": "z"}, {"f": ""}):
        assert not match_labels(selector).matches(labelled({"a": "1", "b": "2", "c": "x", "e": ""} | wrong))


WORDS = st.text(alphabet="abxy", min_size=1, max_size=2)


@given(st.dictionaries(WORDS, WORDS, max_size=4), WORDS, WORDS)
def test_each_operator_and_its_opposite_share_out_all_objects(labels: dict[str, str], key: str, value: str) -> None:
    o = labelled(labels)
    for one, other in ((f"{key}={value}", f"{key}!={value}"), (key, f"!{key}")):
        assert select(POD, one, "").matches(o) is not select(POD, other, "").matches(o)
    assert select(POD, f"{key} in ({value})", "").matches(o) is select(POD, f"{key}={value}", "").matches(o)
    assert select(POD, f"{key} notin ({value})", "").matches(o) is select(POD, f"{key}!={value}", "").matches(o)
