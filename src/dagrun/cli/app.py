"""The command line's frame: all commands, and what becomes of an error."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from copy import copy

import typer

from dagrun.cli import (
    completion,
    documents,
    explaining,
    history,
    output,
    planning,
    recovery,
    running,
    scheduling,
    starting,
    watching,
)
from dagrun.errors import MORE_FILES, DagrunError, EnvironmentFailure, UsageError

app = typer.Typer(
    name="dagrun",
    help="Validate, plan and run workflows written as YAML DAGs.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", help="Show the version and exit."),
    _debug: bool = typer.Option(False, "--debug", help="Show the frames of an error that nobody foresaw."),
) -> None:
    if version:
        from dagrun import __version__

        print(f"dagrun {__version__}")
        raise typer.Exit


for group in (
    starting, documents, planning, running, history, explaining, watching, completion, recovery, scheduling,
):  # fmt: skip
    group.register(app)


def run(arguments: Sequence[str]) -> int:
    """Run one command; its exit code. No mistake of a user gets out of here as a traceback."""
    debug = "--debug" in arguments
    rest = [argument for argument in arguments if argument != "--debug"]
    try:
        code = _frame(rest)(rest, prog_name="dagrun", standalone_mode=False)
        with output.heard(sys.stdout):
            sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except DagrunError as error:
        output.error(error, as_json=output.wants_json(rest))
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except BrokenPipeError:
        return _unread()
    except SystemExit as end:  # how Typer ends when it sees the broken pipe first
        if isinstance(end.__context__, BrokenPipeError):
            return _unread()
        raise
    except Exception as error:
        shown = getattr(error, "show", None)
        if callable(shown):  # Typer's own: a usage error, with the usage
            if output.wants_json(rest):
                output.error(UsageError(_message(error)), as_json=True)
            else:
                shown()
            return int(getattr(error, "exit_code", 2))
        if debug:
            raise
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            output.error(
                EnvironmentFailure(os.strerror(error.errno), hint=MORE_FILES), as_json=output.wants_json(rest)
            )
            return EnvironmentFailure.exit_code
        output.bug(error, as_json=output.wants_json(rest))
        return 1


def _frame(words: Sequence[str]) -> typer.Typer:
    """The app, with no more than these words need: to make options of all commands' signatures takes 12 ms."""
    commands = {info.name or getattr(info.callback, "__name__", ""): info for info in app.registered_commands}
    frame, asked = copy(app), words[0] if words else ""
    if asked in commands:
        frame.registered_commands = [commands[asked]]
    elif asked in ("-h", "--help"):  # lists them, and of each there is only what it is for
        frame.registered_commands = []
        for name, info in commands.items():
            frame.command(name, help=info.callback.__doc__, hidden=info.hidden)(lambda: None)
    return frame


def _unread() -> int:
    """`dagrun events | head`: the reader has seen enough. The rest goes nowhere, and without a complaint."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 141  # as if SIGPIPE had ended us


def _message(error: Exception) -> str:
    """What Typer has to say about a wrong command line."""
    tell = getattr(error, "format_message", None)
    return str(tell() if callable(tell) else error)
