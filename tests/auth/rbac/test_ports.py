"""Claims about ranges of ports."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.rbac.ports import HIGHEST, PortRange, Ports, port_range

_RANGES = st.lists(
    st.tuples(st.integers(1, 30), st.integers(0, 9)).map(lambda one: PortRange(one[0], sum(one))), max_size=4
)


@pytest.mark.parametrize(
    ("text", "found"),
    [("1", PortRange(1, 1)), ("9000-9100", PortRange(9000, 9100)), ("65535", PortRange(65535, 65535))],
)
def test_a_port_or_a_range_is_read_and_written_alike(text, found):
    assert (port_range(text), str(found)) == (found, text)


@pytest.mark.parametrize("text", ["", "0", "65536", "9-8", "1-", "-1", "a", "1,2", " 1", "1-99999", "\u0661"])
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match=f"^a port from 1 to {HIGHEST}, or a range such as 9000-9100$"):
        port_range(text)


def test_ports_read_as_they_were_written():
    assert str(Ports((PortRange(80, 80), PortRange(9000, 9100)))) == "80, 9000-9100"
    assert str(Ports(())) == "none"


@given(_RANGES, _RANGES, st.integers(1, 40))
def test_what_is_common_is_what_is_in_both(some, others, port):
    one, other = Ports(tuple(some)), Ports(tuple(others))
    assert (port in one.common(other)) is (port in one and port in other)
