"""Which commands were typed, as far as keys and echo tell."""

import pytest

from recordings.replay.commands import MAX_LINES_WAITED, Command, PipedCommands, TypedCommands, is_shell


def typed(*steps: tuple[str, bytes | str]) -> list[str]:
    """Steps: `p` keys after a prompt of two columns, `a` keys on an alternate screen, `l` a line of the screen."""
    found: list[Command] = []
    reader = TypedCommands(found.append)
    for at, (what, value) in enumerate(steps):
        if isinstance(value, bytes):
            reader.typed(at, value, column=2 if what == "p" else 0, is_alternate=what == "a")
        else:
            reader.drawn(value)
    return [command.text for command in found]


@pytest.mark.parametrize(
    ("steps", "commands"),
    [
        ([("p", b"ls -l\r"), ("l", "$ ls -l")], ["ls -l"]),
        ([("p", b"l"), ("p", b"s"), ("p", b"\r"), ("l", "$ ls")], ["ls"]),
        ([("p", b"lx\x7fs\r"), ("l", "$ ls")], ["ls"]),
        ([("p", b"rm -rf x\x15ls\r"), ("l", "$ ls")], ["ls"]),
        ([("p", b"cat a b\x17c\r"), ("l", "$ cat a c")], ["cat a c"]),
        ([("p", b"rm x\x03"), ("l", "$ rm x^C"), ("p", b"ls\r"), ("l", "$ ls")], ["ls"]),
        ([("p", b"x\x03"), ("p", b"hunter2\r"), ("l", "password:")], []),
        ([("p", b"ca\t"), ("p", b"\r"), ("l", "$ cat file")], ["cat file"]),
        ([("p", b"\x1b[A\r"), ("l", "$ make all")], ["make all"]),
        ([("p", b"\x12mak\r"), ("l", "$ make all")], ["make all"]),
        ([("p", b"\x1b[200~ls\x1b[201~\r"), ("l", "$ ls")], ["ls"]),
        ([("p", b"ls\rpwd\r"), ("l", "$ ls"), ("l", "file"), ("l", "$ pwd")], ["ls", "pwd"]),
        ([("p", b"hunter2\r"), ("l", "password:")], []),
        ([("p", b"\r\r"), ("l", "$ "), ("l", "$ ")], []),
        ([("a", b":wq\r"), ("l", "text :wq")], []),
        ([("p", "gr\u00fc\u00df\r".encode()), ("l", "$ gr\u00fc\u00df")], ["gr\u00fc\u00df"]),
    ],
)
def test_a_line_that_came_back_is_a_command(steps, commands):
    assert typed(*steps) == commands


def test_an_echo_that_never_comes_is_given_up():
    steps = [("p", b"hunter2\r"), *[("l", "x")] * (MAX_LINES_WAITED + 1), ("l", "$ hunter2")]
    assert typed(*steps) == []


def test_without_a_terminal_a_line_of_input_is_a_command():
    found: list[Command] = []
    reader = PipedCommands(found.append)
    reader.typed(1, b"ls\n\npw")
    reader.typed(2, b"d\nrest")
    assert found == [Command(1, "ls"), Command(2, "pwd")]


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (("sh",), True),
        (("/bin/bash", "-i"), True),
        (("sh", "-c", "ls"), False),
        (("bash", "-lc", "ls"), False),
        (("tar", "xf", "-"), False),
        ((), False),
    ],
)
def test_a_shell_that_was_not_given_what_to_run_reads_commands(command, answer):
    assert is_shell(command) is answer
