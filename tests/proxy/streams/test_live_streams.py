"""Claims about counting and cutting; test_streaming has them on real streams."""

from types import SimpleNamespace

from auth.errors import Reason
from auth.rbac.role import Options
from proxy.status import Refusal
from proxy.streams.live_streams import MAX_STREAMS, LiveStreams


def context(audit_id: str, who: str = "ann", cluster: str = "c1", limit: int | None = None, *, is_read: bool = False):
    return SimpleNamespace(
        upgrade=SimpleNamespace(is_read=is_read),
        audit_id=audit_id,
        verdict=SimpleNamespace(options=Options(max_streams=limit)),
        login=SimpleNamespace(identity=SimpleNamespace(key=("idp", who))),
        credential=SimpleNamespace(cluster=cluster),
    )


def relay(of, cut: list):
    return SimpleNamespace(context=of, cut=lambda why: cut.append((of.audit_id, why)))


def test_a_limit_counts_one_persons_streams_on_one_cluster():
    live = LiveStreams(lambda _: None)
    live.add(context("1"))
    live.add(context("2", who="bob"))
    live.add(context("3", cluster="c2"))
    assert live.over(context("4", limit=2)) == ""
    assert live.over(context("4", limit=1)).startswith("you may have 1 streams open at once")
    live.remove(context("1"))
    assert live.over(context("4", limit=1)) == ""
    assert len(live) == 2


def test_watches_and_logs_are_no_streams_of_a_role():
    live = LiveStreams(lambda _: None)
    live.add(context("1", is_read=True))
    assert live.over(context("2", limit=1)) == ""
    live.add(context("2"))
    assert live.over(context("3", limit=1)).startswith("you may have 1 streams open at once")
    assert live.over(context("3", limit=1, is_read=True)) == ""


def test_a_process_has_a_limit_of_its_own():
    live = LiveStreams(lambda _: None)
    for number in range(MAX_STREAMS):
        live.add(context(str(number), who=str(number)))
    assert "too many streams" in live.over(context("x"))


def test_those_that_may_not_go_on_are_cut_and_the_others_are_not():
    cut: list = []
    gone = Refusal(Reason.LOGIN_ENDED, "logged out")
    live = LiveStreams(lambda one: gone if one.audit_id == "1" else None)
    for audit_id in ("1", "2"):
        live.add(context(audit_id))
        live.joined(relay(context(audit_id), cut))
    live.sweep()
    assert cut == [("1", "logged out")]
    live.cut("the server ends")
    assert cut[1:] == [("1", "the server ends"), ("2", "the server ends")]
