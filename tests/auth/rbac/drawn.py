"""Roles, rules and requests as Hypothesis draws them."""

from dataclasses import replace

from hypothesis import strategies as st

from auth.rbac import Rule
from tests.auth.rbac.asking import ask, role

VERBS = st.sampled_from(
    [
        "get",
        "list",
        "watch",
        "create",
        "update",
        "delete",
        "deletecollection",
        "exec",
        "attach",
        "proxy",
        "debug",
        "mint",
        "escalate",
    ]
)


NAMES = st.sampled_from(["a", "a-1", "b", "kube-system"])


PATTERNS = st.lists(st.sampled_from(["*", "a", "a*", "*-1", "b", "{{ claims.team }}-*"]), min_size=1, max_size=2).map(
    tuple
)


RULES = st.builds(
    Rule,
    verbs=st.lists(VERBS | st.just("*"), min_size=1, max_size=3).map(tuple),
    api_groups=st.lists(st.sampled_from(["", "apps", "*"]), min_size=1, max_size=2).map(tuple),
    resources=st.lists(
        st.sampled_from(
            [
                "pods",
                "nodes",
                "secrets",
                "pods/exec",
                "pods/log",
                "*/exec",
                "*/log",
                "*",
                "serviceaccounts",
                "serviceaccounts/token",
            ]
        ),
        min_size=1,
        max_size=2,
    ).map(tuple),
    namespaces=st.none() | PATTERNS,
    except_namespaces=st.just(()) | PATTERNS,
    names=st.none() | PATTERNS,
    except_names=st.just(()) | PATTERNS,
)


RULE_LISTS = st.lists(RULES, max_size=3).map(tuple)


ROLES = st.lists(st.builds(role, RULE_LISTS, RULE_LISTS), min_size=1, max_size=3).map(
    lambda roles: [replace(r, name=f"r{i}", as_groups=(f"g{i}",)) for i, r in enumerate(roles)]
)


ASKED = st.builds(
    ask,
    VERBS,
    st.sampled_from(["pods", "pods/log", "nodes", "secrets", "serviceaccounts/token"]),
    api_group=st.sampled_from(["", "apps"]),
    namespace=NAMES | st.just(""),
    name=NAMES | st.just(""),
)


REQUESTS = st.lists(ASKED, max_size=3)
