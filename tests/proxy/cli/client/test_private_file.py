import stat

import pytest

from proxy.cli.client.private_file import create, write


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.yaml"
    path.write_text("old")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        write(path, "new")
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("a.yaml", "old")]


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
