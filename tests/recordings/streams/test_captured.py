"""What real kubectl and Kubernetes' own servers said to each other is followed to the last byte, however it is cut.

`tests/vectors/streams/capture.py` made the files: kubectl 1.24, 1.30 and 1.37 against the API server's and kubelet's
handlers of 1.36, by both protocols.
"""

import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from recordings.streams.events import Closing, Purpose, Role, Side, StrayData, StreamData, StreamOpened
from recordings.streams.fault import Fault
from recordings.streams.tap import Tap, spdy_tap, websocket_tap
from tests.recordings.streams.wire import CLIENT, SERVER, Heard, Steps, bytewise, cut_at, play, play_every_way

FILES = sorted((Path(__file__).parents[2] / "vectors/streams/captured").glob("*.json"))
LARGE = bytes(range(256)) * 160
FEW = (1, 2, 5, 6, 7, 8, 9, 13, 14, 31, 1000, 32768, 32769, 32782)

SUCCESS = {"status": "Success"}
FAILURE = {
    "status": "Failure",
    "reason": "NonZeroExitCode",
    "details": {"causes": [{"reason": "ExitCode", "message": "7"}]},
}
SAID: dict[str, dict[Role, bytes]] = {
    "exec": {Role.STDOUT: b"out\n", Role.STDERR: b"err\n"},
    "exec-stdin": {Role.STDIN: b"typed\n", Role.STDOUT: b"typed\n"},
    "exec-large": {Role.STDIN: LARGE, Role.STDOUT: LARGE},
    "exec-terminal": {Role.STDIN: b"x\n", Role.STDOUT: b"99x33\r\ngot x\n"},
    "attach": {Role.STDIN: b"typed\n", Role.STDOUT: b"typed\n"},
}


def case_of(path: Path) -> tuple[str, str]:
    """What was done, and by which protocol."""
    case, transport, _ = path.stem.rsplit("-", 2)
    return case, transport


def story(path: Path) -> tuple[Callable[[], Tap], Steps]:
    told = json.loads(path.read_text(encoding="utf-8"))
    chosen = [line.partition(": ")[2] for line in told["answered"] if line.startswith("Sec-WebSocket-Protocol")]
    purpose = Purpose.PORT_FORWARD if case_of(path)[0] == "port-forward" else Purpose.EXEC
    steps = [(Side(step["from"]), bytes.fromhex(step["hex"])) for step in told["passed"]]
    return (lambda: websocket_tap(chosen[0]) if chosen else spdy_tap(purpose)), steps


def said(heard: Heard) -> dict[Role, bytes]:
    texts: defaultdict[Role, bytes] = defaultdict(bytes)
    for event in heard.events:
        if isinstance(event, StreamData):
            texts[event.role] += event.data
    return dict(texts)


def test_the_servers_read_each_fragment_as_a_message_so_no_client_may_fragment():
    """To a reader of RFC 6455 the first message is A, 0, B on channel 0; the server's `cat` answers A, B and C."""
    told = json.loads((FILES[0].parents[1] / "fragments.json").read_text(encoding="utf-8"))
    sent, answered = (bytes.fromhex(step["hex"]) for step in told["passed"])
    server = play(websocket_tap("v5.channel.k8s.io"), [(SERVER, answered)])
    assert said(server)[Role.STDOUT] == b"ABC"
    assert sent.startswith(bytes.fromhex("0282000000000041") + bytes.fromhex("8082000000000042"))
    assert play_every_way(lambda: websocket_tap("v5.channel.k8s.io"), [(CLIENT, sent)]) == Heard(
        (), b"", b"", Fault.FRAGMENTATION
    )


def test_the_files_are_all_there():
    assert len(FILES) == 22
    assert {case_of(path) for path in FILES} == {
        (case, transport) for case in (*SAID, "port-forward") for transport in ("spdy", "websocket")
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_byte_goes_on_and_the_cuts_do_not_show(path):
    make, steps = story(path)
    if case_of(path)[0] == "exec-large":
        heard = play(make(), steps)
        assert play(make(), steps, bytewise) == heard
        assert all(play(make(), steps, cut_at(*range(place, 50_000, 32_768))) == heard for place in FEW)
    else:
        heard = play_every_way(make, steps)
    assert heard.fault is None
    assert heard.to_server == b"".join(step for side, step in steps if side is CLIENT)
    assert heard.to_client == b"".join(step for side, step in steps if side is SERVER)
    assert any(isinstance(event, Closing) for event in heard.events)
    assert not any(isinstance(event, StrayData) for event in heard.events)


@pytest.mark.parametrize("path", [path for path in FILES if case_of(path)[0] in SAID], ids=lambda path: path.stem)
def test_what_was_typed_and_shown_and_how_it_ended(path):
    case, _ = case_of(path)
    make, steps = story(path)
    texts = said(play(make(), steps))
    status = json.loads(texts.pop(Role.ERROR))
    assert {name: status[name] for name in status if name not in {"metadata", "message"}} == (
        FAILURE if case == "exec" else SUCCESS
    )
    if case == "exec-terminal":
        assert json.loads(texts.pop(Role.RESIZE)) == {"Width": 99, "Height": 33}
    assert texts == SAID[case]


@pytest.mark.parametrize(
    "path", [path for path in FILES if case_of(path)[0] == "port-forward"], ids=lambda path: path.stem
)
def test_a_port_forward_opened_three_connections_and_one_failed(path):
    make, steps = story(path)
    heard = play(make(), steps)
    opened = [event for event in heard.events if isinstance(event, StreamOpened)]
    assert opened == [
        StreamOpened(4 * request + 1 + 2 * place, role, port, str(request))
        for request, port in enumerate((80, 80, 1))
        for place, role in enumerate((Role.ERROR, Role.DATA))
    ]
    answer = b'port 80 heard "ask!"\n'
    assert said(heard) == {
        Role.DATA: b"ask!" + answer + b"ask!" + answer + b"ask!",
        Role.ERROR: b"error forwarding port 1 to pod p, uid u: nothing listens on port 1",
    }
