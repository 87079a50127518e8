from hypothesis import given
from hypothesis import strategies as st

from recordings.audit.bodies.host_access import ephemeral_containers, host_access

NODE_DEBUGGER = {
    "kind": "Pod",
    "spec": {
        "hostPID": True,
        "hostNetwork": True,
        "hostIPC": True,
        "volumes": [{"name": "host-root", "hostPath": {"path": "/"}}, {"name": "e", "emptyDir": {}}],
        "containers": [
            {
                "name": "debugger",
                "securityContext": {"privileged": True, "capabilities": {"add": ["CAP_SYS_ADMIN", "CHOWN"]}},
            }
        ],
    },
}
FOUND = ("hostPID", "hostNetwork", "hostIPC", "hostPath:/", "privileged:debugger", "capability:SYS_ADMIN:debugger")


def test_a_node_debugger_is_seen_for_what_it_is():
    assert host_access(NODE_DEBUGGER) == FOUND


def test_it_is_seen_in_every_kind_of_workload():
    spec = NODE_DEBUGGER["spec"]
    for body in (
        {"spec": {"template": {"spec": spec}}},
        {"spec": {"jobTemplate": {"spec": {"template": {"spec": spec}}}}},
        {"template": {"spec": spec}},
    ):
        assert host_access(body) == FOUND


def test_an_ordinary_pod_reaches_nowhere():
    assert host_access({"spec": {"hostNetwork": False, "containers": [{"name": "c", "securityContext": {}}]}}) == ()


def test_the_names_of_ephemeral_containers_are_read_from_a_patch():
    patch = {"spec": {"ephemeralContainers": [{"name": "debugger-x", "image": "busybox"}, {"image": "nameless"}]}}
    assert ephemeral_containers(patch) == ("debugger-x",)


JSON = st.recursive(
    st.none() | st.booleans() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["spec", "template", "volumes", "hostPath", "containers", "securityContext", "capabilities", "add"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=15,
)


@given(JSON)
def test_any_body_is_looked_at(body):
    assert len(host_access(body)) <= 32
    assert len(ephemeral_containers(body)) <= 32
