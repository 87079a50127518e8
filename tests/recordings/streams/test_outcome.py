"""How a command ended: the servers' own words, and nothing made up where they say none."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.streams.outcome import MAX_STATUS_BYTES, Ended, Outcome, OutcomeReader

V5 = "v5.channel.k8s.io"
EXIT_7 = (
    b'{"metadata":{},"status":"Failure","message":"command terminated with non-zero exit code: exit status 7",'
    b'"reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"7"}]}}'
)


def outcome(*pieces: bytes, protocol: str = V5, ended: bool = True) -> Outcome:
    reader = OutcomeReader(protocol)
    for piece in pieces:
        reader.feed(piece)
    return reader.outcome(ended=ended)


@pytest.mark.parametrize("protocol", ["v4.channel.k8s.io", V5, "v4.base64.channel.k8s.io"])
def test_a_status_tells_the_exit_code(protocol):
    message = "command terminated with non-zero exit code: exit status 7"
    assert outcome(b'{"metadata":{},"status":"Success"}', protocol=protocol) == Outcome(Ended.EXITED, 0)
    assert outcome(EXIT_7[:50], EXIT_7[50:], protocol=protocol, ended=False) == Outcome(Ended.EXITED, 7, message)


def test_another_failure_has_a_message_and_no_exit_code():
    status = b'{"status":"Failure","message":"no such file","reason":"InternalError","code":500}'
    assert outcome(status) == Outcome(Ended.FAILED, None, "no such file")


@pytest.mark.parametrize("protocol", ["channel.k8s.io", "v2.channel.k8s.io", "v3.channel.k8s.io", ""])
def test_before_v4_any_text_is_an_error_and_none_is_success(protocol):
    assert outcome(b"no such ", b"file\xff", protocol=protocol) == Outcome(Ended.FAILED, None, "no such file\ufffd")
    assert outcome(protocol=protocol) == Outcome(Ended.EXITED, 0)
    assert outcome(protocol=protocol, ended=False) == Outcome(Ended.UNKNOWN)


UNREADABLE = [b"", b"oops", b"[]", b"7", b"null", b"{}", b'{"status":"Maybe"}', b'{"status":"Succ', b"[" * 50_000]


@pytest.mark.parametrize("text", [*UNREADABLE, b'{"status":"\xff"}'])
def test_without_a_status_that_can_be_read_the_outcome_is_unknown(text):
    assert outcome(text) == Outcome(Ended.UNKNOWN)


@pytest.mark.parametrize("code", ["1", "137", "255"])
def test_every_exit_code_is_read(code):
    assert outcome(EXIT_7.replace(b'"7"', b'"%s"' % code.encode())).exit_code == int(code)


@pytest.mark.parametrize("code", ["", "0", "256", "0007", "-1", "+1", " 1", "1.0", "x", "9" * 5000, "\u0663", "\u00b2"])
def test_an_exit_code_that_cannot_be_is_unknown(code):
    told = json.loads(EXIT_7)
    told["details"]["causes"][0]["message"] = code
    assert outcome(json.dumps(told).encode()) == Outcome(Ended.UNKNOWN, None, told["message"])


@pytest.mark.parametrize(
    "details",
    [
        None,
        [],
        {},
        {"causes": None},
        {"causes": [None]},
        {"causes": [{"reason": "Other", "message": "7"}]},
        {"causes": [{"reason": "ExitCode", "message": 7}]},
        {"causes": [{"reason": "ExitCode", "message": "7"}, {"reason": "ExitCode", "message": "0"}]},
    ],
)
def test_without_one_exit_code_there_is_none(details):
    told = json.loads(EXIT_7) | {"details": details, "message": 5}
    assert outcome(json.dumps(told).encode()) == Outcome(Ended.UNKNOWN)


def test_a_status_beyond_the_limit_is_unknown_and_not_kept():
    assert MAX_STATUS_BYTES == 65536
    long = b'{"status":"Success"}' + b" " * MAX_STATUS_BYTES
    assert outcome(long[:MAX_STATUS_BYTES]) == Outcome(Ended.EXITED, 0)
    assert outcome(long) == Outcome(Ended.UNKNOWN)
    assert outcome(long[:MAX_STATUS_BYTES], b" ", b"") == Outcome(Ended.UNKNOWN)


@given(st.binary(max_size=40), st.sampled_from([V5, "v3.channel.k8s.io"]), st.booleans())
def test_whatever_the_server_says_there_is_an_outcome(text, protocol, ended):
    assert isinstance(outcome(text, protocol=protocol, ended=ended), Outcome)
