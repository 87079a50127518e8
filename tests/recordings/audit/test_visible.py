"""Claims about what one person may see of the log."""

from __future__ import annotations

from recordings.audit.visible import Visible

OWN = ("https://id.example.com", "ada")


def test_ones_own_deeds_are_seen_and_those_of_others_by_the_place_they_are_about() -> None:
    asked: list[tuple[str | None, str]] = []

    def may(cluster: str | None, namespace: str) -> bool:
        asked.append((cluster, namespace))
        return namespace == "shop"

    visible = Visible(OWN, may)
    own = {"actor": {"issuer": OWN[0], "subject": OWN[1]}, "cluster": "prod"}
    assert visible.sees(own)
    assert asked == []
    other = {"actor": {"issuer": "https://elsewhere", "subject": "ada"}, "cluster": "prod"}
    shop = {**other, "event": {"objectRef": {"namespace": "shop"}}}
    assert [visible.sees(one) for one in (other, shop, shop, {}, {"event": 5, "actor": None})] == [
        False,
        True,
        True,
        False,
        False,
    ]
    assert asked == [("prod", ""), ("prod", "shop"), (None, "")]
