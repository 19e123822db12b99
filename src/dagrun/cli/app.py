"""The entry of the command line: picks the command, and turns every error into a message and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from inspect import cleandoc
from typing import Any

import typer
from typer.core import TyperGroup

from dagrun.cli import output, shell_completion, streams
from dagrun.cli.command_table import COMMANDS, CommandEntry
from dagrun.cli.streams import OutputLost
from dagrun.errors import DagrunError, MachineError, UsageError, of_the_machine


class CommandGroups(TyperGroup):
    """A list of commands in groups, without Rich, which is slow to import."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write one section per group."""
        width = max(len(name) for name in self.commands)
        for title in dict.fromkeys(entry.group for entry in COMMANDS if entry.group):
            rows = [
                (entry.name.ljust(width), self.commands[entry.name].get_short_help_str(formatter.width))
                for entry in COMMANDS
                if entry.group == title and entry.name in self.commands
            ]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


def _global_options(
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
    _directory: str | None = typer.Option(None, "-C", metavar="DIR", help="Change to this directory first."),
    _debug: bool = typer.Option(False, "--debug", help="Show the traceback of an unexpected error."),
) -> None:
    """Validate, plan and run workflows written as YAML DAGs.

    Examples:
      dagrun init demo           create a project to try
      dagrun run backup          run a DAG, by name or path
      dagrun why latest report   why a task of the newest run did not succeed

    `dagrun COMMAND --help` describes a command with its options, examples and exit codes.
    """
    if version:
        from dagrun import __version__

        print(f"dagrun {__version__}")
        raise typer.Exit


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code. No mistake of a user ends in a traceback."""
    try:
        code = _execute(arguments)
        return streams.finish() or code
    except OutputLost as lost:
        return streams.complain(lost)
    except KeyboardInterrupt:
        return 130


def _execute(arguments: Sequence[str]) -> int:
    if shell_completion.is_requested():
        return shell_completion.answer(app_for)
    own = list(arguments[: arguments.index("--")] if "--" in arguments else arguments)
    debug = "--debug" in own
    rest = [argument for argument in own if argument != "--debug"] + list(arguments[len(own) :])
    as_json = output.wants_json(rest)
    try:
        rest = _change_directory(rest)
        code = app_for(rest)(rest, prog_name="dagrun", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except OutputLost:
        raise
    except DagrunError as error:
        output.error(error, as_json=as_json)
        return error.exit_code
    except typer.Abort:
        return 130
    except SystemExit as end:  # Typer exits on a broken pipe; it is not that of stdout or stderr (streams.py)
        if not isinstance(end.__context__, OSError):
            raise
        if debug:
            raise end.__context__ from None
        lost = MachineError(f"a process that dagrun needs has ended: {end.__context__}")
        output.error(lost, as_json=as_json)
        return lost.exit_code
    except Exception as error:
        show = getattr(error, "show", None)
        if callable(show):  # a usage error of Typer, which can print itself with the usage line
            if as_json:
                output.error(UsageError(_message(error)), as_json=True)
            else:
                show(sys.stderr)
            return int(getattr(error, "exit_code", 2))
        if debug:
            raise
        if (known := of_the_machine(error)) is not None:
            output.error(known, as_json=as_json)
            return known.exit_code
        output.bug(error, as_json=as_json)
        return 1


def _change_directory(words: list[str]) -> list[str]:
    """Apply the leading `-C DIR` options; the remaining words."""
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


def app_for(words: Sequence[str]) -> typer.Typer:
    """A Typer app with no more commands, and no more of them, than these words need: start-up time is a feature."""
    app = typer.Typer(
        name="dagrun",
        cls=CommandGroups,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback(help=_help_text(_global_options.__doc__))(_global_options)
    first = words[0] if words else ""
    requested = [entry for entry in COMMANDS if entry.name == first]
    if not requested and first != "--" and (first in ("", "-h", "--help") or not first.startswith("-")):
        for entry in COMMANDS:  # to list or to suggest them takes no more than their names
            app.command(entry.name, help=entry.summary, hidden=not entry.group)(lambda: None)
        return app
    for entry in requested or COMMANDS:
        _add(app, entry)
    return app


def _add(app: typer.Typer, entry: CommandEntry) -> None:
    function = entry.function
    app.command(entry.name, help=_help_text(function.__doc__), hidden=not entry.group)(function)


def _help_text(docstring: str | None) -> str:
    """A docstring as a help text of Click: paragraphs are wrapped, except those that contain indented lines."""
    paragraphs = cleandoc(docstring or "").split("\n\n")
    return "\n\n".join(f"\b\n{text}" if "\n  " in text else text for text in paragraphs)


def _message(error: Exception) -> str:
    """The message of a usage error of Typer."""
    format_message = getattr(error, "format_message", None)
    return str(format_message() if callable(format_message) else error)
