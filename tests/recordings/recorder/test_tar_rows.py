"""Claims about the rows of a tar stream. Python's own tarfile is the second opinion."""

import io
import tarfile
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.recorder.tar_command import Direction
from recordings.recorder.tar_rows import MAX_NAME_BYTES, MAX_ROWS, FileRow, TarRows

FROM = Direction.FROM_POD
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=150).filter(
    lambda name: not name.endswith("/") and not name.startswith("/")
)
FILES = st.lists(st.tuples(NAMES, st.binary(max_size=2000), st.integers(0, 0o7777)), max_size=5)
FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]


def archive(files, form=tarfile.PAX_FORMAT) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=form) as tar:
        for name, data, mode in files:
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), mode
            tar.addfile(info, io.BytesIO(data))
    return made.getvalue()


def row(name, data, mode, **rest) -> FileRow:
    return FileRow(FROM, name, "file", len(data), mode, sha256(data).hexdigest(), **rest)


def read(data: bytes, cut: int = 1 << 30, **rest) -> TarRows:
    reader = TarRows(FROM, **rest)
    for at in range(0, len(data), cut):
        reader.feed(data[at : at + cut])
    reader.end()
    return reader


def header(**fields) -> bytes:
    info = tarfile.TarInfo(fields.pop("name", "x"))
    for name, value in fields.items():
        setattr(info, name, value)
    return info.tobuf(tarfile.GNU_FORMAT)


def with_sum(block: bytes) -> bytes:
    total = sum(block[:148]) + 8 * 32 + sum(block[156:])
    return block[:148] + b"%06o\0 " % total + block[156:]


@given(FILES, st.sampled_from(FORMATS[1:]), st.integers(1, 2000))
def test_every_file_has_a_row_however_the_bytes_are_cut(files, form, cut):
    reader = read(archive(files, form), cut)
    assert (reader.rows, reader.files, reader.doubt) == ([row(*one) for one in files], len(files), "")


@given(st.integers(0, 20))
def test_ustar_names_in_two_parts_are_one(depth):
    name = "/".join(["directory"] * depth + ["f"])
    assert read(archive([(name, b"x", 0o644)], tarfile.USTAR_FORMAT)).rows == [row(name, b"x", 0o644)]


def test_directories_links_and_devices_have_rows_without_data():
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, kind, target in [
            ("d", tarfile.DIRTYPE, ""),
            ("s", tarfile.SYMTYPE, "../../etc/passwd"),
            ("h", tarfile.LNKTYPE, "t" * 200),
            ("p", tarfile.FIFOTYPE, ""),
            ("c", tarfile.CHRTYPE, ""),
        ]:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.mode = kind, target, 0o4755
            tar.addfile(info)
    assert [(one.path, one.kind, one.target, one.sha256, one.mode) for one in read(made.getvalue(), 7).rows] == [
        ("d/", "directory", "", "", 0o4755),
        ("s", "symlink", "../../etc/passwd", "", 0o4755),
        ("h", "hardlink", "t" * 200, "", 0o4755),
        ("p", "fifo", "", "", 0o4755),
        ("c", "device", "", "", 0o4755),
    ]


def test_hostile_names_are_kept_as_they_came():
    names = ["../../etc/passwd", "/etc/shadow", "a\nb", "-rf", "x" * 3000, "\x1b[2J"]
    assert [one.path for one in read(archive([(name, b"", 0) for name in names])).rows] == names
    raw = with_sum(header(name="zz").replace(b"zz", b"\xff\xfe", 1))
    assert read(raw).rows[0].path == "\\xff\\xfe"
    long = read(archive([("y" * 5000, b"", 0)], tarfile.GNU_FORMAT)).rows[0]
    assert long.path == "y" * MAX_NAME_BYTES


@given(FILES.filter(bool), st.data())
def test_an_archive_that_is_cut_tells_what_came_and_that_the_last_is_not_whole(files, data):
    whole = archive(files, tarfile.GNU_FORMAT)
    reader = read(whole[: data.draw(st.integers(0, len(whole)))])
    rows, expected = reader.rows, [row(*one) for one in files]
    partial = [one for one in rows if not one.complete]
    done = [one for one in rows if one.complete]
    assert done == expected[: len(done)]
    assert len(partial) <= 1
    for one in partial:
        assert rows[-1] == one
        assert one.path == files[len(done)][0]


def test_the_digest_of_a_part_is_that_of_the_bytes_that_came():
    whole = archive([("x", b"abcdef" * 200, 0o600)], tarfile.GNU_FORMAT)
    (one,) = read(whole[: 512 + 5]).rows
    assert one == FileRow(FROM, "x", "file", 1200, 0o600, sha256(b"abcde").hexdigest(), complete=False)


@pytest.mark.parametrize(
    "block",
    [
        b"x" * 512,
        header()[:148] + b"0000000\0" + header()[156:],
        with_sum(header()[:124] + b"\xff" * 12 + header()[136:]),
        with_sum(header()[:124] + b"zzzzzzzzzzzz" + header()[136:]),
    ],
    ids=["garbage", "sum", "negative", "no number"],
)
def test_what_is_no_header_ends_the_rows_with_a_doubt(block):
    reader = read(archive([("a", b"1", 0)], tarfile.GNU_FORMAT)[:1024] + block + archive([("b", b"2", 0)]))
    assert ([one.path for one in reader.rows], reader.is_over) == (["a"], True)
    assert reader.doubt == "what should be a file's header is none"


def test_a_size_beyond_everything_only_leaves_the_file_unfinished():
    huge = with_sum(header()[:124] + b"\x80" + b"\0" * 3 + b"\x7f" * 8 + header()[136:])
    (one,) = read(huge + b"data").rows
    assert (one.complete, one.sha256) == (False, sha256(b"data").hexdigest())


def test_a_header_that_is_longer_than_any_name_is_passed_over():
    raw = header(type=tarfile.GNUTYPE_LONGNAME, size=1 << 20) + bytes(1 << 20) + header(name="short")
    reader = read(raw)
    assert [one.path for one in reader.rows] == ["short"]
    assert reader.doubt == "a name or its attributes were too long to be read"


def test_headers_without_end_are_given_up():
    name = header(type=tarfile.GNUTYPE_LONGNAME, size=1) + b"y" + bytes(511)
    assert read(name * 16 + header()).rows[0].path == "y"
    assert read(name * 17 + header()).doubt == "too many headers stand before one file"


@pytest.mark.parametrize(
    "record", [b"x", b"99 path=a\n", b"0 path=a\n", b"8 path=a\n", b"11 path:abc\n", b"-1 path=a\n"]
)
def test_a_pax_record_that_is_none_says_nothing(record):
    raw = header(type=tarfile.XHDTYPE, size=len(record)) + record.ljust(512, b"\0") + header(name="plain")
    assert read(raw).rows[0].path == "plain"


def test_pax_records_for_all_files_hold_until_one_says_otherwise():
    every, one = b"14 path=every\n", b"12 path=one\n"
    raw = header(type=tarfile.XGLTYPE, size=len(every)) + every.ljust(512, b"\0")
    raw += header() + header(type=tarfile.XHDTYPE, size=len(one)) + one.ljust(512, b"\0") + header() + header()
    assert [each.path for each in read(raw).rows] == ["every", "one", "every"]


def test_the_size_of_pax_records_counts():
    record = b"10 size=3\n"
    raw = header(type=tarfile.XHDTYPE, size=len(record)) + record.ljust(512, b"\0") + header() + b"abc" + bytes(509)
    assert read(raw + header(name="next")).rows == [row("x", b"abc", 0o644), row("next", b"", 0o644)]


def test_a_sparse_file_has_its_map_before_its_data():
    first = with_sum(header(type=tarfile.GNUTYPE_SPARSE, size=3)[:482] + b"\1" + header()[483:])
    reader = read(first + b"\0" * 504 + b"\1" + b"\0" * 7 + bytes(512) + b"abc" + bytes(509) + header(name="next"))
    assert [(one.path, one.kind, one.sha256) for one in reader.rows] == [
        ("x", "sparse", sha256(b"abc").hexdigest()),
        ("next", "file", sha256(b"").hexdigest()),
    ]


def test_what_no_standard_knows_has_a_row_with_its_number():
    raw = with_sum(header()[:156] + b"Q" + header()[157:])
    assert read(raw).rows[0].kind == "type 81"


def test_the_archive_ends_at_its_zeros():
    reader = read(archive([("a", b"1", 0)]) + archive([("b", b"2", 0)]))
    assert ([one.path for one in reader.rows], reader.is_over, reader.doubt) == (["a"], True, "")


def test_files_beyond_the_limit_are_counted():
    reader = read(header() * (MAX_ROWS + 5))
    assert (len(reader.rows), reader.files) == (MAX_ROWS, MAX_ROWS + 5)


def test_names_beyond_the_limit_are_counted_too():
    long = header(type=tarfile.GNUTYPE_LONGNAME, size=4000) + b"n" * 4000 + bytes(96) + header()
    reader = read(long * 600)
    assert (len(reader.rows), reader.files) == ((2 << 20) // 4000, 600)


@pytest.mark.parametrize("skipped", [1, 511, 512, 700, 1024, 1500])
def test_a_copy_that_is_taken_up_again_is_read_from_the_next_header_on(skipped):
    files = [("a", b"1" * 600, 0o644), ("b", b"2" * 600, 0o644), ("c", b"", 0o644)]
    whole = archive(files, tarfile.GNU_FORMAT)
    assert read(whole[skipped:], 100, skipped=skipped).rows == [row(*one) for one in files[1:]]


def test_the_end_of_a_stream_in_the_middle_of_a_header_is_said():
    assert read(header()[:100]).doubt == "the archive ends in the middle of something"


@given(st.binary(max_size=3000), st.integers(1, 600))
def test_nothing_makes_it_fail(data, cut):
    read(data, cut)


@given(FILES.filter(bool), st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=6))
def test_no_change_makes_it_fail(files, changes):
    data = bytearray(archive(files))
    for at, value in changes:
        data[at % len(data)] = value
    for at in range(0, len(data), 512):
        if data[at + 257 : at + 262] == b"ustar":
            data[at : at + 512] = with_sum(bytes(data[at : at + 512]))
    reader = read(bytes(data))
    assert len(reader.rows) == reader.files
