"""Printing for people and for scripts: tables, colours, JSON, errors."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TextIO, cast

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


#: The maximum number of variants of one group that are listed for people.
MANY_VARIANTS = 20

_COLOURS = {
    "success": "32", "running": "36", "failed": "31", "timed_out": "31", "error": "31", "partial": "33",
    "cancelled": "33", "interrupted": "33", "skipped": "2", "pending": "2", "retrying": "33", "warning": "33",
    "dim": "2", "bold": "1",
}  # fmt: skip


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether the command line requests JSON; for errors before the command itself has read its options."""
    ours = list(arguments[: arguments.index("--")] if "--" in arguments else arguments)
    pairs = zip(ours, [*ours, ""][1:], strict=True)
    return any(
        (flag in ("-o", "--output") and value == "json") or flag in ("-ojson", "--output=json")
        for flag, value in pairs
    )


def print_json(value: Json) -> None:
    """Print one JSON object. Characters that stdout cannot encode, and control characters, are escaped."""
    print(_json(value))


def print_json_text(value: dict[str, Json], name: str, texts: Iterable[str]) -> None:
    """The same with one more field, whose text is too large to be kept in memory."""
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
    """The text in a colour, if the stream supports colours. Text from documents is never interpreted as markup."""
    code = _COLOURS.get(style)
    return f"\x1b[{code}m{text}\x1b[0m" if code and is_colourful(stream or sys.stdout) else text


def console(stream: TextIO) -> Console:
    """A Rich console on a stream, which passes its control characters on."""
    from rich.console import Console

    file = cast("TextIO", Obeyed(stream))
    return Console(
        file=file, highlight=False, markup=False, width=_default("COLUMNS", 80), height=_default("LINES", 25)
    )


def _default(variable: str, size: int) -> int | None:
    """The size to assume when the environment variable has an impossible value; else None: Rich finds out."""
    text = os.environ.get(variable)
    return None if text is None or (text.isdecimal() and 0 < int(text[:9]) < 10_000) else size


def say(text: str) -> None:
    """Print a message on stderr; stdout contains only the answer of a command."""
    print(text, file=sys.stderr)


def report_lost() -> None:
    """Warn that the answer of a command, which has done its work, could not be printed."""
    lost = lost_output()
    if lost is not None and not lost.is_unread:
        say(f"{paint('Warning:', 'warning', sys.stderr)} {lost.message}")


#: The maximum width of a column, in characters. A longer cell shifts only its own line.
WIDEST = 40


def table(headers: Sequence[str], rows: Iterable[Sequence[str]], styled: int | None = None) -> None:
    """Print aligned columns. The text of a cell in column `styled` is the name of its colour."""
    for line in table_lines(headers, rows, styled):
        print(line)


def table_lines(
    headers: Sequence[str], rows: Iterable[Sequence[str]], styled: int | None = None
) -> Iterator[str]:
    """The lines of a table, headers first."""
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
    """Print an error on stderr, or as the JSON answer."""
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
    """One finding as JSON."""
    return {
        "path": finding.place.path,
        "line": finding.place.line,
        "column": finding.place.column,
        "code": finding.code,
        "message": finding.message,
        "suggestion": finding.suggestion or None,
    }


def bug(problem: Exception, *, as_json: bool = False) -> None:
    """Print an unexpected error."""
    if as_json:
        print_json({"error": {"type": "InternalError", "message": f"{type(problem).__name__}: {problem}"}})
        return
    say(f"Error: internal error: {type(problem).__name__}: {problem}")
    say("  this is a bug in dagrun; `--debug` shows the traceback")
