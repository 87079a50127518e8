"""The one error says what was wrong, where, and what had been understood."""

from recordings.errors import RecordingsError
from recordings.streams.events import Closing, Side, Taken
from recordings.streams.fault import Fault, StreamFaultError


def test_an_error_names_its_fault_and_carries_what_came_before():
    taken = Taken((Closing(Side.CLIENT, 1000),), b"x")
    error = StreamFaultError(Fault.OPCODE, "3 is reserved", taken)
    assert str(error) == "opcode: 3 is reserved"
    assert (error.fault, error.detail, error.taken) == (Fault.OPCODE, "3 is reserved", taken)
    assert isinstance(error, RecordingsError)


def test_an_error_without_a_past_has_understood_nothing():
    assert StreamFaultError(Fault.OPCODE, "3").taken == Taken((), b"")
