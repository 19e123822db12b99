"""The command line's frame: all commands, and what becomes of an error."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from copy import copy

import typer

from dagrun.cli import (
    documents,
    explaining,
    history,
    output,
    planning,
    recovery,
    running,
    scheduling,
    shell_completion,
    starting,
    streams,
    watching,
)
from dagrun.cli.streams import OutputLost
from dagrun.errors import DagrunError, MachineError, UsageError, of_the_machine

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
    _directory: str | None = typer.Option(None, "-C", metavar="DIR", help="Do all as if started in DIR."),
    _debug: bool = typer.Option(False, "--debug", help="Show the frames of an error that nobody foresaw."),
) -> None:
    if version:
        from dagrun import __version__

        print(f"dagrun {__version__}")
        raise typer.Exit


for group in (
    starting, documents, planning, running, history, explaining, watching, shell_completion, recovery, scheduling,
):  # fmt: skip
    group.register(app)


def run(arguments: Sequence[str]) -> int:
    """Run one command; its exit code. No mistake of a user gets out of here as a traceback."""
    try:
        code = _answer(arguments)
        return streams.finish() or code
    except OutputLost as lost:
        return streams.complain(lost)
    except KeyboardInterrupt:
        return 130


def _answer(arguments: Sequence[str]) -> int:
    own = list(arguments[: arguments.index("--")] if "--" in arguments else arguments)
    debug = "--debug" in own
    rest = [argument for argument in own if argument != "--debug"] + list(arguments[len(own) :])
    as_json = output.wants_json(rest)
    try:
        rest = _enter(rest)
        code = _frame(rest)(rest, prog_name="dagrun", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except OutputLost:
        raise
    except DagrunError as error:
        output.error(error, as_json=as_json)
        return error.exit_code
    except typer.Abort:
        return 130
    except SystemExit as end:  # Typer's way with a broken pipe; stdout and stderr are none (streams.py)
        if not isinstance(end.__context__, OSError):
            raise
        if debug:
            raise end.__context__ from None
        output.error(MachineError(f"a process that dagrun needs is gone: {end.__context__}"), as_json=as_json)
        return MachineError.exit_code
    except Exception as error:
        show = getattr(error, "show", None)
        if callable(show):  # Typer's own: a usage error, with the usage
            if as_json:
                output.error(UsageError(_message(error)), as_json=True)
            else:
                show(sys.stderr)
            return int(getattr(error, "exit_code", 2))
        if debug:
            raise
        if (foreseen := of_the_machine(error)) is not None:
            output.error(foreseen, as_json=as_json)
            return foreseen.exit_code
        output.bug(error, as_json=as_json)
        return 1


def _enter(words: list[str]) -> list[str]:
    """The words after `-C DIR`, in that directory."""
    while words[:1] == ["-C"]:
        if len(words) < 2:
            raise UsageError("-C needs a directory", hint="dagrun -C DIR COMMAND")
        directory = words[1]
        try:
            os.chdir(directory)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise UsageError(f"-C {directory!r}: {why}", hint="name a directory that you may enter") from None
        os.environ["PWD"] = os.getcwd()  # noqa: PTH109 - as `cd` does
        words = words[2:]
    return words


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


def _message(error: Exception) -> str:
    """What Typer has to say about a wrong command line."""
    tell = getattr(error, "format_message", None)
    return str(tell() if callable(tell) else error)
