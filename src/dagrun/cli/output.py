"""What all commands share: options, printing data for people and for scripts, showing errors."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Annotated, TextIO

import typer

from dagrun.errors import DagrunError
from dagrun.source import DocumentError, Finding, render
from dagrun.work import Json


class Form(StrEnum):
    """How a command prints its answer."""

    TEXT = "text"
    JSON = "json"


Output = Annotated[Form, typer.Option("-o", "--output", help="text for people, json for scripts")]

_COLOURS = {
    "success": "32", "running": "36", "failed": "31", "timed_out": "31", "error": "31", "partial": "33",
    "cancelled": "33", "interrupted": "33", "skipped": "2", "pending": "2", "retrying": "33", "warning": "33",
    "dim": "2", "bold": "1",
}  # fmt: skip


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether the command line asks for JSON; looked at when the command itself never came to run."""
    text = " ".join(arguments)
    return any(flag in text for flag in ("-o json", "-ojson", "--output json", "--output=json"))


def print_json(value: Json) -> None:
    """One JSON object on stdout."""
    print(json.dumps(value, ensure_ascii=False))


def colourful(stream: TextIO) -> bool:
    """Whether colour is welcome: on a terminal, never with NO_COLOR (CONTRACT 6)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, style: str, stream: TextIO | None = None) -> str:
    """The text in a colour, where colour is welcome. What came from a document is never taken for markup."""
    code = _COLOURS.get(style)
    return f"\x1b[{code}m{text}\x1b[0m" if code and colourful(stream or sys.stdout) else text


def say(text: str) -> None:
    """A line about what goes on: on stderr, so that stdout holds the answer alone."""
    print(text, file=sys.stderr, flush=True)


def table(headers: Sequence[str], rows: Iterable[Sequence[str]], styled: int | None = None) -> None:
    """Aligned columns. The cell in column `styled` names its own colour."""
    cells = [[_one_line(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [list(headers), *cells]) for i in range(len(headers))]
    print(paint(_row(headers, widths), "bold"))
    for row in cells:
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        if styled is not None:
            padded[styled] = paint(padded[styled], row[styled])
        print("  ".join(padded).rstrip())


def _row(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _one_line(text: str) -> str:
    """Text for a cell: control characters, line ends among them, are shown and not obeyed."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def seconds(duration: float | None) -> str:
    """A duration for people: `0.42s`, `3m 05s`, `2h 10m`; `-` when there is none."""
    if duration is None:
        return "-"
    if duration < 60:
        return f"{duration:.2f}s"
    minutes, rest = divmod(round(duration), 60)
    if minutes < 60:
        return f"{minutes}m {rest:02d}s"
    return f"{minutes // 60}h {minutes % 60:02d}m"


def error(problem: DagrunError, *, as_json: bool) -> None:
    """An error on stderr, or as the JSON answer: what, where, why, what to do."""
    if as_json:
        print_json({"error": _error_json(problem)})
        return
    if isinstance(problem, DocumentError):
        for finding in problem.findings:
            if finding.level == "error":
                lines = render(finding, problem.source).splitlines()
                say(
                    "\n".join(
                        [
                            f"{paint('Error:', 'error', sys.stderr)} {finding.message} [{finding.code}]",
                            f"  --> {finding.place}",
                            *lines[1:],
                        ]
                    )
                )
        return
    for line in problem.message.splitlines():
        say(f"{paint('Error:', 'error', sys.stderr)} {line}")
    if problem.hint:
        say(f"  {problem.hint}")


def _error_json(problem: DagrunError) -> Json:
    shape: Json = {"type": type(problem).__name__, "message": problem.message}
    if problem.hint:
        shape["hint"] = problem.hint
    if isinstance(problem, DocumentError):
        shape["errors"] = [finding_json(finding) for finding in problem.findings if finding.level == "error"]
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


def bug(problem: Exception) -> None:
    """An error that nobody foresaw."""
    say(f"Error: internal error: {type(problem).__name__}: {problem}")
    say("  this is a fault in dagrun; `--debug` shows the traceback")
