"""What is read of Kubernetes' protobuf, from bytes that Kubernetes' own serializer wrote."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.audit.bodies.host_access import containers, host_access
from recordings.audit.bodies.protobuf_workload import MAGIC, MAX_FIELDS, ProtobufError, workload

FILE = Path(__file__).parents[3] / "vectors" / "bodies" / "protobuf_workloads.json"
VECTORS = {kind: bytes.fromhex(text) for kind, text in json.loads(FILE.read_text())["hex"].items()}
SPEC = {
    "nodeName": "node-7",
    "hostPID": True,
    "hostNetwork": True,
    "hostIPC": True,
    "volumes": [{"hostPath": {"path": "/"}}, {}],
    "containers": [
        {"name": "debugger", "securityContext": {"privileged": True, "capabilities": {"add": ["SYS_ADMIN", "CHOWN"]}}}
    ],
    "initContainers": [{"name": "first"}],
    "ephemeralContainers": [{"name": "later", "securityContext": {"privileged": True}}],
}
FOUND = (
    "hostPID",
    "hostNetwork",
    "hostIPC",
    "hostPath:/",
    "privileged:debugger",
    "capability:SYS_ADMIN:debugger",
    "privileged:later",
)


@pytest.mark.parametrize("kind", VECTORS)
def test_what_reaches_out_of_a_pod_is_found_in_every_kind_that_has_pods(kind):
    read = workload(VECTORS[kind])
    assert read["metadata"] == {"name": "node-debugger-a"}
    assert host_access(read) == FOUND
    assert containers(read) == ("debugger", "first", "later")


def test_a_pod_is_read_member_for_member():
    assert workload(VECTORS["Pod"]) == {"metadata": {"name": "node-debugger-a"}, "spec": SPEC}


def test_another_kind_gives_nothing_away():
    assert workload(VECTORS["Pod"].replace(b"\x12\x03Pod", b"\x12\x03Pad", 1)) == {}


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b'{"kind":"Pod"}',
        MAGIC + b"\x0a",
        MAGIC + b"\x0a\x05abc",
        MAGIC + b"\x0b",
        MAGIC + b"\x09abc",
        MAGIC + b"\xff" * 11,
        MAGIC + b"\x0a\x05\x12\x03Pod" + b"\x12\x02\x12\x05",
        MAGIC + b"\x0a\x05\x12\x03Pod" + b"\x12\x02\x10\x01",
        MAGIC + b"\x18\x00" * (MAX_FIELDS + 1),
    ],
)
def test_what_is_no_such_body_is_refused(payload):
    with pytest.raises(ProtobufError):
        workload(payload)


@given(st.sampled_from(sorted(VECTORS)), st.integers(0, 2000), st.binary(max_size=3))
def test_whatever_the_bytes_are_it_reads_or_refuses(kind, at, put):
    data = VECTORS[kind]
    at %= len(data)
    try:
        read = workload(data[:at] + put + data[at + len(put) :])
    except ProtobufError:
        return
    assert isinstance(host_access(read), tuple)
