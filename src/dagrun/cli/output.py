"""What all commands share: options, printing data for people and for scripts, showing errors."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, TextIO, cast

import typer

from dagrun.cli.streams import Obeyed, lost_output
from dagrun.cli.streams import enduring as enduring
from dagrun.cli.streams import is_colourful as is_colourful
from dagrun.cli.streams import print_as_is as print_as_is
from dagrun.cli.streams import visible as visible
from dagrun.errors import DagrunError
from dagrun.errors import one_line as one_line
from dagrun.views.wording import count as count
from dagrun.views.wording import seconds as seconds

if TYPE_CHECKING:  # rich is slow, and reading YAML is nothing that help and completion need
    from rich.console import Console

    from dagrun.core.work import Json
    from dagrun.documents.yaml import DocumentError, Finding


class Form(StrEnum):
    """How a command prints its answer."""

    TEXT = "text"
    JSON = "json"


#: Of a group with more variants than this, people are shown no more than these, and those in trouble first.
MANY_VARIANTS = 20

Output = Annotated[Form, typer.Option("-o", "--output", help="text for people, json for scripts")]

_COLOURS = {
    "success": "32", "running": "36", "failed": "31", "timed_out": "31", "error": "31", "partial": "33",
    "cancelled": "33", "interrupted": "33", "skipped": "2", "pending": "2", "retrying": "33", "waiting": "33", "warning": "33",
    "dim": "2", "bold": "1",
}  # fmt: skip


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether the command line asks for JSON; looked at when the command itself never came to run."""
    ours = list(arguments[: arguments.index("--")] if "--" in arguments else arguments)
    pairs = zip(ours, [*ours, ""][1:], strict=True)
    return any(
        (flag in ("-o", "--output") and value == "json") or flag in ("-ojson", "--output=json")
        for flag, value in pairs
    )


def print_json(value: Json) -> None:
    """One JSON object on stdout. What its encoding lacks, and what a terminal would obey, is escaped."""
    print(_json(value))


def print_json_text(value: dict[str, Json], name: str, texts: Iterable[str]) -> None:
    """The same, with one more field: a text that is too large to be held whole."""
    sys.stdout.write(f'{_json(value)[:-1]}, {_json(name)}: "')
    for text in texts:
        sys.stdout.write(_json(text)[1:-1])
    sys.stdout.write('"}\n')


def _json(value: Json) -> str:
    wide = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    text = json.dumps(value, ensure_ascii=not wide)
    if not text.isprintable():
        import re

        text = re.sub(r"[^ -~]", lambda match: _json_char(match[0]), text)
    return text


def _json_char(char: str) -> str:
    return char if char.isprintable() else json.dumps(char)[1:-1]


def paint(text: str, style: str, stream: TextIO | None = None) -> str:
    """The text in a colour, where colour is welcome. What came from a document is never taken for markup."""
    code = _COLOURS.get(style)
    return f"\x1b[{code}m{text}\x1b[0m" if code and is_colourful(stream or sys.stdout) else text


def console(stream: TextIO) -> Console:
    """A Rich console on a stream, whose control characters are meant. It believes no impossible size of a terminal."""
    from rich.console import Console

    def is_sane(name: str, value: str) -> bool:
        return name not in ("COLUMNS", "LINES") or (value.isdecimal() and 0 < int(value[:9]) < 10_000)

    environment = {name: value for name, value in os.environ.items() if is_sane(name, value)}
    file = cast("TextIO", Obeyed(stream))
    return Console(file=file, highlight=False, markup=False, _environ=environment)


def say(text: str) -> None:
    """A line about what goes on: on stderr, so that stdout holds the answer alone."""
    print(text, file=sys.stderr)


def report_lost() -> None:
    """Say that a command that did more than print could not print its answer."""
    lost = lost_output()
    if lost is not None and not lost.is_unread:
        say(f"{paint('Warning:', 'warning', sys.stderr)} {lost.message}")


#: The largest number that a count on the command line may be.
MOST = 1_000_000_000

#: Of a table's column, or of a task's name before what it printed: what is longer moves its own line alone.
WIDEST = 40


def table(headers: Sequence[str], rows: Iterable[Sequence[str]], styled: int | None = None) -> None:
    """Aligned columns. The cell in column `styled` names its own colour."""
    for line in table_lines(headers, rows, styled):
        print(line)


def table_lines(
    headers: Sequence[str], rows: Iterable[Sequence[str]], styled: int | None = None
) -> Iterator[str]:
    """The lines of a table, its headers first."""
    cells = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(min(len(row[i]), WIDEST) for row in [list(headers), *cells]) for i in range(len(headers))]
    yield paint(_row(headers, widths), "bold")
    for row in cells:
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        if styled is not None:
            padded[styled] = paint(padded[styled], row[styled])
        yield "  ".join(padded).rstrip()


def _row(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def error(problem: DagrunError, *, as_json: bool) -> None:
    """An error on stderr, or as the JSON answer: what, where, why, what to do."""
    if as_json:
        print_json({"error": _error_json(problem)})
        return
    if (document := _document_error(problem)) is not None:
        from dagrun.documents.yaml import render

        for finding in document.findings:
            if finding.level == "error":
                _, *excerpt = render(finding, document.source).splitlines()
                say(f"{paint('Error:', 'error', sys.stderr)} {visible(finding.message)} [{finding.code}]")
                say(visible("\n".join([f"  --> {finding.place}", *excerpt])))
        return
    for line in problem.message.splitlines():
        say(f"{paint('Error:', 'error', sys.stderr)} {visible(line)}")
    if problem.hint:
        say(f"  {visible(problem.hint)}")


def _document_error(problem: DagrunError) -> DocumentError | None:
    from dagrun.documents.yaml import DocumentError

    return problem if isinstance(problem, DocumentError) else None


def _error_json(problem: DagrunError) -> Json:
    shape: Json = {"type": type(problem).__name__, "message": problem.message}
    if problem.hint:
        shape["hint"] = problem.hint
    if (document := _document_error(problem)) is not None:
        shape["errors"] = [finding_json(finding) for finding in document.findings if finding.level == "error"]
    return shape


def finding_json(finding: Finding) -> Json:
    """The shape of one finding (CONTRACT 6)."""
    return {
        "path": finding.place.path,
        "line": finding.place.line,
        "column": finding.place.column,
        "code": finding.code,
        "message": finding.message,
        "suggestion": finding.suggestion or None,
    }


def bug(problem: Exception, *, as_json: bool = False) -> None:
    """An error that nobody foresaw."""
    if as_json:
        print_json({"error": {"type": "InternalError", "message": f"{type(problem).__name__}: {problem}"}})
        return
    say(f"Error: internal error: {type(problem).__name__}: {problem}")
    say("  this is a fault in dagrun; `--debug` shows the traceback")
