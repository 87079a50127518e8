from proxy.streams import debug_containers
from proxy.streams.debug_containers import DebugContainers

PLACE = ("c1", "shop", "web", "debugger-x")


def test_who_made_a_container_is_known_by_its_place():
    known = DebugContainers()
    known.made(PLACE, "one")
    known.made(PLACE, "two")
    assert known.maker(PLACE) == "two"
    assert known.maker(("c1", "shop", "web", "app")) is None


def test_the_oldest_is_forgotten_first(monkeypatch):
    monkeypatch.setattr(debug_containers, "MAX_REMEMBERED", 2)
    known = DebugContainers()
    for name in "abc":
        known.made(("c1", "n", "p", name), name)
    assert [known.maker(("c1", "n", "p", name)) for name in "abc"] == [None, "b", "c"]
