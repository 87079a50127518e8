import pytest

from recordings.recorder.directory import RecordingDirectory, day_of, open_without_following

ONE, TWO = "a" * 26, "b" * 26


@pytest.fixture
def root(tmp_path):
    for name, started in ((ONE, 0.0), (TWO, 86_400.0)):
        day_of(tmp_path, started).mkdir(parents=True, exist_ok=True)
        (day_of(tmp_path, started) / f"{name}.kwr").write_bytes(b"x")
    return tmp_path


def test_a_recording_is_found_by_its_id(root):
    assert RecordingDirectory(root).path_of(ONE) == root / "1970" / "01" / "01" / f"{ONE}.kwr"
    assert RecordingDirectory(root).path_of("c" * 26) is None


@pytest.mark.parametrize("text", ["", ".", "..", f"../{ONE}", ONE.upper(), f"{ONE}.kwr", ONE + "\0", "x" * 5000, "con"])
def test_what_is_no_id_leads_nowhere(root, text):
    assert RecordingDirectory(root).path_of(text) is None


def test_the_newest_day_comes_first_and_other_files_are_passed_over(root):
    (root / "1970" / "01" / "01" / "notes.txt").write_text("x")
    (root / "1970" / "01" / "01" / "other.kwr").write_text("x")
    (root / "lost+found").mkdir()
    assert [path.stem for path in RecordingDirectory(root).paths()] == [TWO, ONE]
    assert list(RecordingDirectory(root / "none").paths()) == []


def test_links_are_not_followed(root, tmp_path):
    target = tmp_path / "secret"
    target.write_text("x")
    day = root / "1970" / "01" / "01"
    (day / f"{'c' * 26}.kwr").symlink_to(target)
    (root / "1971").symlink_to(root / "1970")
    found = RecordingDirectory(root)
    assert found.path_of("c" * 26) is None
    assert [path.stem for path in found.paths()] == [TWO, ONE]
    with pytest.raises(OSError, match="symbolic link"):
        open_without_following(day / f"{'c' * 26}.kwr")
