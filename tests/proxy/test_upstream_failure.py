"""Claims about what is said of a cluster that cannot be asked."""

from __future__ import annotations

import errno
import os
import ssl

import pytest

from auth.errors import Reason
from proxy.status import Refusal
from proxy.upstream_failure import cause, gone, invalid, timed_out, unreachable


def tls(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, "[SSL] it has long words (_ssl.c:1000)")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED)), "Connection refused"),
        (ConnectionResetError(), "ConnectionResetError"),
        (tls("CERTIFICATE_VERIFY_FAILED"), "TLS: CERTIFICATE_VERIFY_FAILED"),
        (tls(""), "TLS: handshake failed"),
    ],
)
def test_the_cause_is_said_in_a_few_words(error: OSError, said: str) -> None:
    assert cause(error) == said


def test_the_client_is_told_which_cluster_and_what_to_do() -> None:
    assert timed_out("prod") == Refusal(
        Reason.CLUSTER_TIMEOUT, "cluster 'prod' does not answer; ask its owners, or try again"
    )
    assert unreachable("prod", "Connection refused") == Refusal(
        Reason.CLUSTER_UNREACHABLE,
        "cluster 'prod' cannot be reached (Connection refused); ask its owners, or try again",
    )


def test_who_sent_a_write_is_told_to_look_before_it_is_sent_again() -> None:
    look = "; whether it did what was asked is not known, so look before you try again"
    assert timed_out("prod", unknown=True) == Refusal(Reason.CLUSTER_TIMEOUT, "cluster 'prod' does not answer" + look)
    assert gone("prod", "it ended") == Refusal(
        Reason.CLUSTER_UNREACHABLE, "cluster 'prod' gave no answer (it ended)" + look
    )
    why = "cluster 'prod' sent an answer that is not valid HTTP (no colon)"
    assert invalid("prod", "no colon", unknown=True) == Refusal(Reason.UPSTREAM_INVALID, why + look)
    assert invalid("prod", "no colon", unknown=False) == Refusal(Reason.UPSTREAM_INVALID, why)
