"""Kubernetes' streams over SPDY: who may open them, what they may carry, and how they end."""

import pytest

from recordings.streams import spdy
from recordings.streams.events import (
    Closing,
    Ending,
    Purpose,
    Role,
    Side,
    StrayData,
    StreamData,
    StreamEnded,
    StreamOpened,
)
from recordings.streams.fault import Fault
from recordings.streams.spdy import SENDERS
from recordings.streams.tap import Tap, spdy_tap
from tests.recordings.streams.wire import (
    CLIENT,
    SERVER,
    Blocks,
    Heard,
    Steps,
    control,
    data,
    goaway,
    ping,
    play,
    play_every_way,
    reset,
)

EXEC_ROLES = [Role.ERROR, Role.STDIN, Role.STDOUT, Role.STDERR, Role.RESIZE]


def exec_tap() -> Tap:
    return spdy_tap(Purpose.EXEC)


def forward_tap() -> Tap:
    return spdy_tap(Purpose.PORT_FORWARD)


def opened(*roles: Role) -> Steps:
    """The streams of an exec, opened and accepted one after another."""
    ours, theirs = Blocks(), Blocks()
    steps: Steps = []
    for place, role in enumerate(roles):
        steps += [(CLIENT, ours.syn(2 * place + 1, streamtype=role)), (SERVER, theirs.reply(2 * place + 1))]
    return steps


def sent(steps: Steps, side: Side) -> bytes:
    return b"".join(step for sender, step in steps if sender is side)


def after(before: Steps, *steps: tuple[Side, bytes], make=exec_tap) -> Heard:
    """What the steps come to, without the events of those before; they all pass or the fault is told."""
    skip = len(play(make(), before).events)
    heard = play_every_way(make, [*before, *steps])
    return Heard(heard.events[skip:], heard.to_server, heard.to_client, heard.fault)


def fault_after(before: Steps, *steps: tuple[Side, bytes], make=exec_tap) -> Fault | None:
    return after(before, *steps, make=make).fault


def test_an_exec_is_followed_from_its_streams_to_its_end():
    steps = [
        *opened(Role.ERROR, Role.STDIN, Role.STDOUT),
        (CLIENT, data(3, b"ls\n")),
        (CLIENT, data(3, fin=True)),
        (SERVER, data(5, b"a\nb\n") + data(5, fin=True) + data(3, fin=True)),
        (CLIENT, ping(1)),
        (SERVER, ping(1)),
        (SERVER, data(1, b'{"status":"Success"}', fin=True) + goaway(5)),
        (CLIENT, reset(1) + goaway(0)),
    ]
    heard = play_every_way(exec_tap, steps)
    assert heard == Heard(
        events=(
            StreamOpened(1, Role.ERROR),
            StreamOpened(3, Role.STDIN),
            StreamOpened(5, Role.STDOUT),
            StreamData(CLIENT, 3, Role.STDIN, b"ls\n"),
            StreamEnded(CLIENT, 3, Role.STDIN, Ending.FINISHED),
            StreamData(SERVER, 5, Role.STDOUT, b"a\nb\n"),
            StreamEnded(SERVER, 5, Role.STDOUT, Ending.FINISHED),
            StreamEnded(SERVER, 3, Role.STDIN, Ending.FINISHED),
            StreamData(SERVER, 1, Role.ERROR, b'{"status":"Success"}'),
            StreamEnded(SERVER, 1, Role.ERROR, Ending.FINISHED),
            Closing(SERVER, 0),
            StreamEnded(CLIENT, 1, Role.ERROR, Ending.RESET, 5),
            Closing(CLIENT, 0),
        ),
        to_server=sent(steps, CLIENT),
        to_client=sent(steps, SERVER),
    )


def test_a_port_forward_names_the_port_and_the_request_of_each_stream():
    ours, theirs = Blocks(), Blocks()
    steps = [
        (CLIENT, ours.syn(1, streamtype="error", port="8080", requestid="0")),
        (SERVER, theirs.reply(1)),
        (CLIENT, data(1, fin=True)),
        (CLIENT, ours.syn(3, streamtype="data", port="8080", requestid="0")),
        (SERVER, theirs.reply(3)),
        (CLIENT, data(3, b"GET /")),
        (SERVER, data(3, b"200", fin=True) + data(1, fin=True)),
        (CLIENT, reset(3)),
        (CLIENT, ours.syn(5, streamtype="error", port="8080", requestid="0")),
    ]
    heard = play_every_way(forward_tap, steps)
    assert heard.fault is None
    assert heard.events == (
        StreamOpened(1, Role.ERROR, 8080, "0"),
        StreamEnded(CLIENT, 1, Role.ERROR, Ending.FINISHED),
        StreamOpened(3, Role.DATA, 8080, "0"),
        StreamData(CLIENT, 3, Role.DATA, b"GET /"),
        StreamData(SERVER, 3, Role.DATA, b"200"),
        StreamEnded(SERVER, 3, Role.DATA, Ending.FINISHED),
        StreamEnded(SERVER, 1, Role.ERROR, Ending.FINISHED),
        StreamEnded(CLIENT, 3, Role.DATA, Ending.RESET, 5),
        StreamOpened(5, Role.ERROR, 8080, "0"),
    )


def test_without_a_request_id_the_pair_is_known_by_the_error_streams_own_id():
    ours = Blocks()
    steps = [(CLIENT, ours.syn(7, streamtype="error", port="80") + ours.syn(9, streamtype="data", port="80"))]
    assert play_every_way(forward_tap, steps).events == (
        StreamOpened(7, Role.ERROR, 80, "7"),
        StreamOpened(9, Role.DATA, 80, "7"),
    )


@pytest.mark.parametrize(
    "headers",
    [
        {"requestid": "0"},
        {"port": "", "requestid": "0"},
        {"port": "0", "requestid": "0"},
        {"port": "65536", "requestid": "0"},
        {"port": "080", "requestid": "0"},
        {"port": "+80", "requestid": "0"},
        {"port": "80\x0081", "requestid": "0"},
        {"port": "80\n", "requestid": "0"},
        {"port": "80", "requestid": ""},
        {"port": "80", "requestid": "0\x001"},
        {"port": "80", "requestid": "x"},
        {"port": "80", "requestid": "1" * 21},
    ],
)
def test_a_port_and_a_request_have_one_way_to_be_written(headers):
    steps = [(CLIENT, Blocks().syn(1, streamtype="data", **headers))]
    assert play_every_way(forward_tap, steps) == Heard((), b"", b"", Fault.PORT)


@pytest.mark.parametrize(("port", "request_id"), [("1", "0"), ("65535", "9" * 20), ("8080", "007")])
def test_the_bounds_of_a_port_and_a_request_are_allowed(port, request_id):
    steps = [(CLIENT, Blocks().syn(1, streamtype="data", port=port, requestid=request_id))]
    assert play_every_way(forward_tap, steps).events == (StreamOpened(1, Role.DATA, int(port), request_id),)


@pytest.mark.parametrize(
    ("make", "roles"),
    [(exec_tap, set(Role) - {Role.DATA}), (forward_tap, {Role.ERROR, Role.DATA})],
)
def test_a_stream_has_one_of_the_roles_of_its_purpose(make, roles):
    for text in (*Role, "", "STDIN", "stdin ", "stdin\0stdout", "stdin\0stdin", "x" * 1000):
        heard = play(make(), [(CLIENT, Blocks().syn(1, streamtype=text, port="80", requestid="0"))])
        assert heard.fault is (None if text in roles else Fault.ROLE), text
    assert play(make(), [(CLIENT, Blocks().syn(1))]).fault is Fault.ROLE


def test_an_exec_has_each_role_once_even_when_the_first_is_over():
    ours = Blocks()
    first = (CLIENT, ours.syn(1, streamtype="stdout"))
    assert fault_after([first], (CLIENT, reset(1) + ours.syn(3, streamtype="stdout"))) is Fault.ROLE


@pytest.mark.parametrize("role", ["error", "data"])
def test_a_request_has_one_open_stream_of_each_role(role):
    ours = Blocks()
    first = (CLIENT, ours.syn(1, streamtype=role, port="80", requestid="4"))
    again = ours.syn(3, streamtype=role, port="81", requestid="4")
    assert fault_after([first], (CLIENT, again), make=forward_tap) is Fault.ROLE


@pytest.mark.parametrize("stream", [1, 2, 3, 4])
def test_ids_are_odd_and_grow(stream):
    ours = Blocks()
    first = (CLIENT, ours.syn(3, streamtype="stdout"))
    assert fault_after([first], (CLIENT, ours.syn(stream, streamtype="stdin"))) is Fault.STREAM_ID


def test_the_server_opens_nothing():
    for stream in (1, 2):
        assert fault_after([], (SERVER, Blocks().syn(stream, streamtype="stdin"))) is Fault.STREAM_ID


def test_the_client_accepts_nothing_and_the_server_only_once():
    ours, theirs = Blocks(), Blocks()
    first = (CLIENT, ours.syn(1, streamtype="stdin"))
    accepted = (SERVER, theirs.reply(1))
    assert fault_after([first], (CLIENT, ours.reply(1))) is Fault.STREAM_STATE
    assert fault_after([first, accepted], (SERVER, theirs.reply(1))) is Fault.STREAM_STATE


@pytest.mark.parametrize("side", list(Side))
def test_nothing_may_be_sent_for_a_stream_that_never_was(side):
    before = opened(Role.ERROR)
    window = control(9, bytes.fromhex("0000000300000001"))
    for step in (data(3, b"x"), data(2, b"x"), reset(3), Blocks().reply(3), window):
        assert fault_after([], (side, step)) in {Fault.STREAM_ID, Fault.STREAM_STATE}
    for step in (data(3, b"x"), data(2, b"x"), reset(3), window):
        assert fault_after(before, (side, step)) is Fault.STREAM_ID


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("step", [data(1, b"x"), data(1, fin=True), data(1)])
def test_no_data_before_the_stream_is_accepted_for_the_receiver_would_drop_it(side, step):
    first = (CLIENT, Blocks().syn(1, streamtype="stdin" if side is CLIENT else "stdout"))
    assert fault_after([first], (side, step)) is Fault.STREAM_STATE


@pytest.mark.parametrize("role", EXEC_ROLES)
@pytest.mark.parametrize("side", list(Side))
def test_data_flows_only_in_the_direction_of_its_role_but_either_side_may_end_its_half(role, side):
    before = opened(role)
    heard = after(before, (side, data(1, b"x")))
    if side in SENDERS[role]:
        assert heard.events == (StreamData(side, 1, role, b"x"),)
    else:
        assert (heard.events, heard.fault) == ((), Fault.ROLE)
    assert after(before, (side, data(1, fin=True))).events == (StreamEnded(side, 1, role, Ending.FINISHED),)


def test_the_client_sends_nothing_on_a_port_forwards_error_stream():
    ours, theirs = Blocks(), Blocks()
    before = [(CLIENT, ours.syn(1, streamtype="error", port="80", requestid="0")), (SERVER, theirs.reply(1))]
    assert fault_after(before, (CLIENT, data(1, b"x")), make=forward_tap) is Fault.ROLE


def test_no_data_after_the_end_that_the_sender_gave():
    before = [*opened(Role.STDIN), (CLIENT, data(1, b"x", fin=True))]
    assert fault_after(before, (CLIENT, data(1, b"y"))) is Fault.STREAM_STATE


@pytest.mark.parametrize("ends", ["syn", "reply"])
def test_every_frame_with_headers_may_carry_the_end(ends):
    ours, theirs = Blocks(), Blocks()
    steps = [
        (CLIENT, ours.syn(1, streamtype="stdout", fin=ends == "syn")),
        (SERVER, theirs.reply(1, fin=ends == "reply")),
    ]
    side = CLIENT if ends == "syn" else SERVER
    heard = play_every_way(exec_tap, steps)
    assert heard.events == (StreamOpened(1, Role.STDOUT), StreamEnded(side, 1, Role.STDOUT, Ending.FINISHED))
    assert play(exec_tap(), [*steps, (side, data(1, b"x"))]).fault is Fault.STREAM_STATE


@pytest.mark.parametrize("side", list(Side))
def test_later_headers_would_make_the_stream_stand_still_and_are_a_fault(side):
    ours, theirs = Blocks(), Blocks()
    before = [(CLIENT, ours.syn(1, streamtype="stdin")), (SERVER, theirs.reply(1))]
    assert fault_after(before, (side, (ours if side is CLIENT else theirs).more(1))) is Fault.FRAME_TYPE


def test_an_end_is_told_once():
    ours, theirs = Blocks(), Blocks()
    steps = [
        (CLIENT, ours.syn(1, streamtype="stdout")),
        (SERVER, theirs.reply(1, fin=True)),
        (SERVER, data(1, fin=True)),
    ]
    heard = play_every_way(exec_tap, steps)
    assert (len(heard.events), heard.fault) == (2, Fault.STREAM_STATE)


@pytest.mark.parametrize("resetter", list(Side))
def test_what_was_on_its_way_when_a_stream_was_reset_is_stray(resetter):
    ours, theirs = Blocks(), Blocks()
    before = [(CLIENT, ours.syn(1, streamtype="stdout")), (SERVER, theirs.reply(1)), (resetter, reset(1))]
    late = [
        (SERVER, data(1, b"late", fin=True)),
        (CLIENT, data(1, b"also")),
        (CLIENT, reset(1)),
        (SERVER, control(9, bytes.fromhex("0000000100000001"))),
    ]
    heard = after(before, *late)
    assert heard.fault is None
    assert heard.events == (StrayData(SERVER, 1, b"late"), StrayData(CLIENT, 1, b"also"))
    assert heard.to_client == sent([*before, *late], SERVER)


def test_a_reset_in_the_middle_of_a_frame_makes_the_rest_stray():
    frame = data(1, b"hello", fin=True)
    steps = [*opened(Role.STDOUT), (SERVER, frame[:10]), (CLIENT, reset(1)), (SERVER, frame[10:])]
    heard = play_every_way(exec_tap, steps)
    assert heard.events[1:] == (
        StreamData(SERVER, 1, Role.STDOUT, b"he"),
        StreamEnded(CLIENT, 1, Role.STDOUT, Ending.RESET, 5),
        StrayData(SERVER, 1, b"llo"),
    )


def test_a_late_answer_to_a_stream_that_was_given_up_passes_and_keeps_the_compression_in_step():
    ours, theirs = Blocks(), Blocks()
    steps = [
        (CLIENT, ours.syn(1, streamtype="stdin")),
        (CLIENT, reset(1)),
        (SERVER, theirs.reply(1, a="b")),
        (CLIENT, ours.syn(3, streamtype="stdout")),
        (SERVER, theirs.reply(3, a="b")),
        (SERVER, data(3, b"x")),
    ]
    heard = play_every_way(exec_tap, steps)
    assert (heard.events[-1], heard.fault) == (StreamData(SERVER, 3, Role.STDOUT, b"x"), None)


def test_a_refused_stream_ends_by_the_servers_reset():
    steps = [(CLIENT, Blocks().syn(1, streamtype="stdin")), (SERVER, reset(1, 3))]
    assert play_every_way(exec_tap, steps).events[1:] == (StreamEnded(SERVER, 1, Role.STDIN, Ending.RESET, 3),)


def test_settings_windows_and_pings_pass_and_mean_nothing():
    settings = control(4, bytes.fromhex("00000001 00000004 00000064"))
    window = control(9, bytes.fromhex("0000000000000001")) + control(9, bytes.fromhex("0000000100000001"))
    before = opened(Role.STDIN)
    heard = after(before, (CLIENT, settings + window + ping(1)), (SERVER, settings + window + ping(2)))
    assert heard == Heard(
        (), sent(before, CLIENT) + settings + window + ping(1), sent(before, SERVER) + settings + window + ping(2)
    )


def test_open_streams_are_bounded_and_closed_ones_are_forgotten(monkeypatch):
    monkeypatch.setattr(spdy, "MAX_OPEN_STREAMS", 4)
    ours = Blocks()

    def syn(stream: int) -> tuple[Side, bytes]:
        return CLIENT, ours.syn(stream, streamtype="data", port="80", requestid=str(stream))

    churn = [step for stream in range(1, 100, 2) for step in (syn(stream), (CLIENT, reset(stream)))]
    assert play(forward_tap(), [*churn, *(syn(stream) for stream in range(101, 109, 2))]).fault is None
    ours = Blocks()
    assert play(forward_tap(), [syn(stream) for stream in range(1, 11, 2)]).fault is Fault.STREAM_LIMIT


def test_the_end_is_told_by_a_goaway_where_a_frame_may_stand():
    tap = exec_tap()
    play(tap, opened(Role.STDIN, Role.STDOUT))
    assert tap.farewell(CLIENT, mask=b"") == goaway(3, 0)
    assert tap.farewell(SERVER, mask=b"") == goaway(0, 0)
    frame = data(3, b"hello")
    tap.feed(SERVER, frame[:7])
    assert tap.farewell(CLIENT, mask=b"") == goaway(3, 0)
    assert tap.cut_off(SERVER)
    tap.feed(SERVER, frame[7:9])
    assert (tap.farewell(CLIENT, mask=b""), tap.farewell(SERVER, mask=b"")) == (b"", goaway(0, 0))
    tap.feed(SERVER, frame[9:])
    assert not tap.cut_off(SERVER)
    assert play(tap, [(CLIENT, data(3, b"x"))]).fault is Fault.ROLE
    assert tap.farewell(CLIENT, mask=b"") == goaway(3, 1)
