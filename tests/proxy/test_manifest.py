import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from proxy.impersonation import EXTRA_CERTIFICATE, EXTRA_LOGIN, EXTRA_ORIGINAL_USER
from proxy.manifest import MAX_GROUPS, RESOURCE_VERBS, ManifestError, literal_groups, manifest

EXTRAS = [f"userextras/{key}" for key in (EXTRA_LOGIN, EXTRA_CERTIFICATE, EXTRA_ORIGINAL_USER)]
groups = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=30).filter(
    lambda name: "{{" not in name and not name.casefold().startswith("system:")
)


def documents(text: str) -> list[dict]:
    return list(yaml.safe_load_all(text))


def rules(text: str) -> list[dict]:
    return next(document["rules"] for document in documents(text) if document["kind"] == "ClusterRole")


def test_the_plain_form_grants_impersonation_of_named_groups_and_nothing_else():
    assert rules(manifest("staging", groups=["kwit:b", "kwit:a", "kwit:b"])) == [
        {"apiGroups": [""], "resources": ["users"], "verbs": ["impersonate"]},
        {"apiGroups": [""], "resources": ["groups"], "resourceNames": ["kwit:a", "kwit:b"], "verbs": ["impersonate"]},
        {"apiGroups": ["authentication.k8s.io"], "resources": ["uids", *EXTRAS], "verbs": ["impersonate"]},
    ]


def test_the_constrained_form_holds_no_plain_right():
    granted = rules(manifest("staging", groups=["kwit:a"], constrained=True))
    verbs = {verb for rule in granted for verb in rule["verbs"]}
    assert all(verb.startswith(("impersonate:user-info", "impersonate-on:user-info:")) for verb in verbs)
    assert granted[:2] == [
        {
            "apiGroups": ["authentication.k8s.io"],
            "resources": ["users", "uids", *EXTRAS],
            "verbs": ["impersonate:user-info"],
        },
        {
            "apiGroups": ["authentication.k8s.io"],
            "resources": ["groups"],
            "resourceNames": ["kwit:a"],
            "verbs": ["impersonate:user-info"],
        },
    ]
    assert granted[2]["verbs"] == [f"impersonate-on:user-info:{verb}" for verb in RESOURCE_VERBS]


def test_any_group_is_granted_only_when_it_is_asked_for_and_says_what_that_means():
    text = manifest("staging", groups=None)
    assert rules(text)[1] == {"apiGroups": [""], "resources": ["groups"], "verbs": ["impersonate"]}
    assert "system:masters" in text
    with pytest.raises(ManifestError, match="no group to grant"):
        manifest("staging", groups=[])


@pytest.mark.parametrize("constrained", [False, True])
@pytest.mark.parametrize("token", [False, True])
def test_account_token_and_binding_fit_together(constrained, token):
    text = manifest("staging", groups=["g"], namespace="access", constrained=constrained, token=token)
    kinds = ["Namespace", "ServiceAccount", *(["Secret"] if token else []), "ClusterRole", "ClusterRoleBinding"]
    found = {document["kind"]: document for document in documents(text)}
    assert list(found) == kinds
    account = {"name": "kwit", "namespace": "access"}
    assert found["Namespace"]["metadata"] == {"name": "access"}
    assert found["ServiceAccount"]["metadata"] == account
    assert found["ServiceAccount"].get("automountServiceAccountToken") == (False if token else None)
    assert found["ClusterRoleBinding"]["subjects"] == [{"kind": "ServiceAccount", **account}]
    assert found["ClusterRoleBinding"]["roleRef"]["name"] == found["ClusterRole"]["metadata"]["name"]
    if token:
        annotations = found["Secret"]["metadata"]["annotations"]
        assert annotations == {"kubernetes.io/service-account.name": "kwit"}


@given(st.lists(groups, min_size=1, max_size=5))
def test_no_groups_name_can_become_anything_but_a_name(names):
    granted = rules(manifest("staging", groups=names))
    assert len(granted) == 3
    assert granted[1]["resourceNames"] == sorted(set(names))


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (["kwit:{{ claims.team }}"], "made per person"),
        (["system:masters"], "never granted"),
        (["System:Masters"], "never granted"),
        ([" a"], "blanks"),
        (["a\nb"], "control"),
        ([""], "empty"),
        ([f"g{number}" for number in range(MAX_GROUPS + 1)], "--any-group"),
    ],
)
def test_groups_that_cannot_or_must_not_be_granted_are_refused(names, why):
    with pytest.raises(ManifestError, match=why):
        literal_groups(names)


def test_two_installations_in_one_cluster_do_not_overwrite_each_other():
    documents = {
        namespace: {
            (one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"])
            for one in yaml.safe_load_all(manifest("staging", groups=("g",), namespace=namespace))
        }
        for namespace in ("one", "two")
    }
    assert documents["one"] & documents["two"] == set()
