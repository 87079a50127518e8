"""Claims about the bar over bytes."""

from __future__ import annotations

import pytest

from proxy.cli.byte_bar import byte_bar


def test_nothing_is_shown_for_no_total(capsys: pytest.CaptureFixture[str]) -> None:
    with byte_bar(0) as progress:
        progress(7)
    assert capsys.readouterr() == ("", "")
