from recordings.recorder.moment import OUTPUT, Kind


def test_the_numbers_of_kinds_are_those_of_every_file_that_was_ever_written():
    assert {kind.name: kind.value for kind in Kind} == {
        "STDIN": 0,
        "STDOUT": 1,
        "STDERR": 2,
        "ERROR": 3,
        "RESIZE": 4,
        "HIDDEN": 5,
        "ENDED": 6,
        "STRAY": 7,
    }
    assert {Kind.STDOUT, Kind.STDERR} == OUTPUT
