import stat

import pytest

from proxy.cli.client.private_file import create, write


@pytest.fixture
def full(monkeypatch):
    """A disk that is full when it comes to it."""

    def fsync(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fsync)


@pytest.mark.usefixtures("full")
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else_and_names_it(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("old")
    with pytest.raises(OSError, match="No space") as caught:
        write(path, "new")
    assert caught.value.filename == str(path)
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("a.yaml", "old")]


@pytest.mark.usefixtures("full")
def test_a_file_that_cannot_be_created_whole_is_not_there_and_is_named(tmp_path):
    with pytest.raises(OSError, match="No space") as caught:
        create(tmp_path / "a.yaml", "new")
    assert caught.value.filename == str(tmp_path / "a.yaml")
    assert list(tmp_path.iterdir()) == []


def test_what_is_written_is_for_its_owner_alone(tmp_path):
    write(tmp_path / "new" / "a.yaml", "text\n")
    assert (tmp_path / "new" / "a.yaml").read_text() == "text\n"
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new", tmp_path / "new" / "a.yaml")]
    assert modes == [0o700, 0o600]


@pytest.mark.parametrize("mode", [0o600, 0o640])
def test_a_file_is_created_once_and_then_stays(tmp_path, mode):
    path = tmp_path / "a.yaml"
    assert create(path, "first", mode=mode) is True
    assert create(path, "second", mode=mode) is False
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("first", mode)
