"""Which commands there are, for whom, and where they live; a command's module is imported when it is called."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches

import click

from proxy.cli.client.problem import Problem

SECTIONS: dict[str, dict[str, tuple[str, str]]] = {
    "For engineers": {
        "login": ("proxy.cli.login:command", "Sign in; your clusters appear in kubectl."),
        "logout": ("proxy.cli.logout:command", "End the login, here and on the server."),
        "status": ("proxy.cli.status:command", "Who you are, and until when."),
        "clusters": ("proxy.cli.clusters:command", "The clusters you may reach."),
        "can-i": ("proxy.cli.can_i:command", "May I? With the role and the rule that say so."),
        "kubeconfig": ("proxy.cli.kubeconfig:command", "Write the contexts again, or a self-contained file."),
        "credential": ("proxy.cli.credential:command", "What kubectl calls; not for people."),
    },
    "For platform engineers": {
        "demo": ("proxy.cli.demo:command", "The whole story on this machine, in one command."),
        "init": ("proxy.cli.init:command", "Write a commented configuration."),
        "serve": ("proxy.cli.serve:command", "Run the proxy."),
        "doctor": ("proxy.cli.doctor:command", "What is wrong, each with its fix."),
        "cluster": ("proxy.cli.cluster:command", "Add, list, and prepare clusters."),
        "roles": ("proxy.cli.roles:command", "Check roles before they are in force."),
        "witness": ("proxy.cli.witness:command", "Cosign the checkpoints of another installation's log."),
    },
    "For analysts and auditors": {
        "play": ("proxy.cli.play:command", "Replay a recorded shell."),
        "recordings": ("proxy.cli.recordings:command", "Find, read, export recordings."),
        "audit": ("proxy.cli.audit:command", "Follow, search and show the log."),
        "lock": ("proxy.cli.lock:command", "Stop somebody now."),
    },
}
"""Section → command → (module:attribute, one line)."""

TABLE = {name: entry for section in SECTIONS.values() for name, entry in section.items()}

EPILOG = """\b
Examples:
  kwit login https://kwit.example.com          sign in
  kubectl --context kwit-staging get pods      use a cluster
  kwit can-i delete pods -n shop               ask before you try
  kwit demo                                    see it all on this machine
"""


class Commands(click.Group):
    """A group whose commands are a table."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(TABLE)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in TABLE:
            return None
        module, _, attribute = TABLE[cmd_name][0].partition(":")
        try:
            found = getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as error:
            if error.name != module:
                raise Problem(
                    f"`kwit {cmd_name}` needs the package {error.name}, which is not installed here; "
                    "install kubewitness again"
                ) from error
            raise Problem(f"`kwit {cmd_name}` is not part of this version; run `kwit --help` for what is") from error
        assert isinstance(found, click.Command)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Names what was meant where that is clear."""
        if args[0] not in TABLE and (meant := get_close_matches(args[0], TABLE, 1)):
            raise click.UsageError(f"there is no command {args[0]!r}; did you mean `kwit {meant[0]}`?", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """From the table alone: help must not import, nor break on a command that is missing."""
        del ctx
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, line) for name, (_, line) in commands.items()])


def _version(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import PackageNotFoundError, version

        try:
            number = version("kubewitness")
        except PackageNotFoundError:
            number = "(a checkout, not installed)"
        click.echo(f"kwit {number}")
        ctx.exit()


@click.group(cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Show the version.")
def group() -> None:
    """kubewitness: kubectl with single sign-on, short-lived certificates, and a record that names you."""


def run(args: Sequence[str]) -> int:
    """Run one command; everything that is expected to go wrong is one sentence on stderr."""
    try:
        result = group.main(list(args), prog_name="kwit", standalone_mode=False, color=colours())
    except Problem as error:
        return _fail(str(error), error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return 2
    except click.UsageError as error:
        return _fail(wrong_usage(error), error.exit_code)
    except click.ClickException as error:
        return _fail(error.format_message(), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return _fail("stopped", 1)
    except BrokenPipeError:
        _close_stdout()
        return 1
    except OSError as error:
        return _fail(f"{error.filename or _nameless(error)}: {error.strerror or error}", 1)
    return result if isinstance(result, int) else 0


def _nameless(error: OSError) -> str:
    """What an error without a file's name is about: standard output, if it could be no connection."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return "the output cannot be written" if full else "a file or connection"


def wrong_usage(error: click.UsageError) -> str:
    """Click's sentence in our form, and where to read on unless it says so itself."""
    message = error.format_message().rstrip(".")
    message = message[:1].lower() + message[1:]
    if message.endswith("?"):
        return message
    return f"{message}; `{error.ctx.command_path if error.ctx is not None else 'kwit'} --help` shows how it is used"


def colours() -> bool | None:
    """False where nobody wants any; None leaves it to whether a terminal is there."""
    return False if os.environ.get("NO_COLOR") else None  # noqa: TID251 - what every program heeds (no-color.org)


def _fail(sentence: str, code: int) -> int:
    click.echo(f"kwit: {sentence}", err=True)
    return code


def _close_stdout() -> None:
    """The reader left (`kwit … | head`); without this the interpreter complains at its end."""
    try:
        sys.stdout.close()
    except BrokenPipeError:
        return
