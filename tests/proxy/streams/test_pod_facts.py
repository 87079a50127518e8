"""Claims about what is learnt of a pod beside its stream: as whom it is asked, what is recorded, what waits for it."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.rbac import Role, RoleBinding, Rule, Subject, compile_policy
from proxy.streams import pod_facts
from proxy.streams.pod_facts import ANSWER_SECONDS, ASKED_FOR, IMAGE, NODE, UNKNOWN, PodFacts, facts_of
from recordings.audit.bodies.host_access import HOST_ACCESS
from recordings.audit.record import Outcome
from recordings.recorder.directory import RecordingDirectory
from recordings.recorder.reader import open_recording
from tests.proxy.dataplane import plane, settle
from tests.proxy.streams.conversations import Conversation, roles, until
from tests.proxy.streams.test_streaming import begun, gone

NAME = "exec-terminal-websocket-1.37"
DIGEST = "sha256:" + "ab" * 32
POD = {
    "metadata": {"annotations": {"kubectl.kubernetes.io/default-container": "web"}},
    "spec": {
        "nodeName": "node-7",
        "hostPID": True,
        "containers": [{"name": "proxy", "image": "envoy:1"}, {"name": "web", "image": "shop:2"}],
        "ephemeralContainers": [{"name": "debug", "image": "busybox@sha256:1"}],
    },
    "status": {
        "containerStatuses": [{"name": "web", "imageID": f"registry/shop@{DIGEST}"}],
        "ephemeralContainerStatuses": [{"name": "debug", "imageID": f"busybox@{DIGEST}"}],
    },
}


@pytest.mark.parametrize(
    ("container", "facts"),
    [
        ("web", PodFacts(f"shop:2@{DIGEST}", "node-7", ("hostPID",))),
        ("", PodFacts(f"shop:2@{DIGEST}", "node-7", ("hostPID",))),
        ("proxy", PodFacts("envoy:1", "node-7", ("hostPID",))),
        ("debug", PodFacts("busybox@sha256:1", "node-7", ("hostPID",))),
        ("other", PodFacts("", "node-7", ("hostPID",))),
    ],
)
def test_the_image_is_that_of_the_container_with_the_digest_that_runs(container, facts):
    assert facts_of(json.dumps(POD).encode(), container) == facts


def test_without_a_name_and_a_default_it_is_the_first_container():
    assert facts_of(json.dumps(POD | {"metadata": {}}).encode(), "").image == "envoy:1"


_JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda some: (
        st.lists(some, max_size=3)
        | st.dictionaries(st.sampled_from(["spec", "status", "containers", "name", "image", "nodeName"]), some)
    ),
    max_leaves=12,
)


@given(_JSON | st.binary(max_size=20))
def test_what_is_no_pod_is_not_known(value):
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    assert isinstance(facts_of(body, ""), PodFacts)
    assert facts_of(b"{", "") == UNKNOWN


def answer(status: bytes = b"200 OK", pod: object = POD) -> bytes:
    body = orjson.dumps(pod)
    head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
    return head + body


def chunked(pod: object = POD) -> bytes:
    """As a real API server answers with more than it has in one buffer."""
    body = orjson.dumps(pod)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    pieces = [body[at : at + 100] for at in range(0, len(body), 100)]
    return head + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in [*pieces, b""])


def kept(tmp_path) -> set[tuple[str, str]]:
    found = set()
    for path in RecordingDirectory(tmp_path).paths():
        with open_recording(path) as reader:
            assert reader.footer is not None
            found.add((reader.footer.image, reader.footer.node))
    return found


@pytest.mark.parametrize("framed", [answer, chunked])
@pytest.mark.parametrize("is_repeated", [False, True])
async def test_a_recording_says_image_and_node_and_the_question_has_a_record_of_its_own(tmp_path, framed, is_repeated):
    conversation = Conversation(NAME)
    async with plane(recordings=tmp_path, roles=roles(), asks_for_pods=True) as it:
        it.server.answer = lambda _: framed(pod=json.loads(json.dumps(POD).replace('"web"', '"c"')))
        for _ in range(2 if is_repeated else 1):  # what the log says of one question is not said of the next
            before, seen = len(it.log.records), len(it.server.seen)
            client, server = await begun(it, conversation)
            await until(lambda before=before: len(it.log.records) == before + 3)
            (asked,) = it.server.seen[seen:]
            assert asked.target.startswith(b"/api/v1/namespaces/")
            assert asked.target.count(b"/") == 6
            assert b"impersonate-user" in dict(asked.headers)
            intent, _, question = it.log.records[before:]
            assert it.log.outcomes[before + 2] == (Outcome.DONE, 200)
            assert question.annotations[ASKED_FOR] == intent.audit_id
            assert question.event["verb"] == "get"
            server.end()
            await gone(client)
            annotations = it.log.records[-1].annotations
            assert annotations[NODE] == "node-7"
            assert annotations[HOST_ACCESS] == "hostPID"
            assert kept(tmp_path) == {(annotations[IMAGE], "node-7")}


async def test_who_may_not_read_the_pod_learns_nothing_and_nothing_is_asked(tmp_path):
    only_exec = Rule(("exec",), ("",), ("pods",))
    role = Role("shells", as_groups=("kwit:eng",), allow=(only_exec,))
    policy = compile_policy([role], [RoleBinding("devs", "shells", (Subject("Group", "eng", "corp"),))], ["corp"])
    async with plane(recordings=tmp_path, roles=policy, asks_for_pods=True) as it:
        client, server = await begun(it, Conversation(NAME))
        await settle()
        server.end()
        await gone(client)
        assert it.server.seen == []
    assert kept(tmp_path) == {("", "")}


@pytest.mark.parametrize("what", ["404", "silent", "gone", "still asked", "large", "malformed"])
async def test_whatever_becomes_of_the_question_the_stream_goes_on(tmp_path, what, monkeypatch):
    monkeypatch.setattr(pod_facts, "MAX_BODY_BYTES", 1000 if what == "large" else pod_facts.MAX_BODY_BYTES)
    answers = {
        "404": answer(b"404 Not Found"),
        "large": answer(pod=POD | {"more": "x" * 2000}),
        "malformed": b"nonsense\r\n\r\n",
    }
    async with plane(recordings=tmp_path, roles=roles(), asks_for_pods=True) as it:
        it.server.answer = (lambda _: answers[what]) if what in answers else None
        conversation = Conversation(NAME)
        client, server = await begun(it, conversation)
        if what == "gone":
            it.server.wires[-1].end()
        if what == "silent":
            await it.loop.turn(ANSWER_SECONDS + 1)
        await settle()
        client.send(conversation.sent_by(client=True))
        server.end()
        await gone(client)
        await settle()
    assert kept(tmp_path) == {("", "")}
