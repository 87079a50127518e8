import pytest

from recordings.recorder.tar_command import Direction, TarCommand, tar_command

FROM, TO = TarCommand(Direction.FROM_POD), TarCommand(Direction.TO_POD)


@pytest.mark.parametrize(
    ("command", "meaning"),
    [
        (("tar", "cf", "-", "/etc/hosts"), FROM),
        (("tar", "-cf", "-", "/etc"), FROM),
        (("/bin/tar", "-c", "-f", "-", "x"), FROM),
        (("tar", "--create", "--file=-", "x"), FROM),
        (("tar", "--create", "--file", "-", "x"), FROM),
        (("tar", "-C", "/tmp", "-cf", "-", "x"), FROM),
        (("tar", "-cf-", "x"), FROM),
        (("tar", "-xmf", "-"), TO),
        (("tar", "-xmf", "-", "-C", "/tmp"), TO),
        (("tar", "--no-same-permissions", "--no-same-owner", "-xmf", "-", "-C", "/tmp"), TO),
        (("sh", "-c", "tar cf - /var/log | tail -c+0"), FROM),
        (("sh", "-c", "tar cf - '/var/my log' | tail -c +1"), FROM),
        (("sh", "-c", "tar cf - /var/log | tail -c+4097"), TarCommand(Direction.FROM_POD, 4096)),
        (("/bin/bash", "-c", "tar cf - /var/log"), FROM),
    ],
)
def test_an_archive_that_passes_through_is_seen(command, meaning):
    assert tar_command(command) == meaning


@pytest.mark.parametrize(
    "command",
    [
        (),
        ("tar",),
        ("ls", "cf", "-"),
        ("tar", "cf", "/tmp/x.tar", "x"),
        ("tar", "czf", "-", "x"),
        ("tar", "-cf", "-", "--zstd", "x"),
        ("tar", "--use-compress-program=x", "-cf", "-", "x"),
        ("tar", "tf", "-"),
        ("tar", "cxf", "-"),
        ("tar", "c", "x"),
        ("tar", "--", "cf", "-"),
        ("sh", "-c", "tar cf - x; rm -rf /"),
        ("sh", "-c", "tar cf - $(x) | tail -c+1"),
        ("sh", "-c", "tar cf - 'x | tail -c+1"),
        ("sh", "-c", "tar xf - | tail -c+1"),
        ("sh", "-c", "tar cf - x | tail -c+" + "9" * 40),
        ("sh", "-c", "tar cf - " + "x" * 10_000 + " | tail -c+1"),
        ("sh", "-c", ""),
    ],
)
def test_what_is_not_plainly_one_is_none(command):
    assert tar_command(command) is None
