"""Files of variables such as `.env`, with one `NAME=value` per line. Nothing in a value is expanded."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from dagrun.core.model import Dag
from dagrun.documents.yaml import Finding, Place, Source
from dagrun.documents.yaml.values import brief
from dagrun.value import Value

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WRITE: Final = "write NAME=value, with quotes around a value that contains spaces or '#'"


class DotenvVariables(Value):
    """The variables of a file, and findings for the lines that could not be read."""

    values: dict[str, str]
    findings: Sequence[Finding]


def paths(dag: Dag) -> list[str]:
    """The files that a DAG and its tasks name, without duplicates."""
    return list(dict.fromkeys((*dag.dotenv, *(path for task in dag.bodies for path in task.dotenv))))


def read(path: Path, shown: str) -> DotenvVariables:
    """The variables of a file. Raises DocumentError if it is missing or not UTF-8."""
    from dotenv.parser import parse_stream

    source = Source.read(path, shown)
    values: dict[str, str] = {}
    findings: list[Finding] = []
    for binding in parse_stream(io.StringIO(source.text, newline="")):
        if problem := _problem(binding.key, binding.value, error=binding.error):
            line = binding.original.line + _blank_lines(binding.original.string)
            findings.append(Finding(Place(shown, line, 1), problem, "invalid-variable", _WRITE))
        elif binding.key is not None and binding.value is not None:
            values[binding.key] = binding.value
    return DotenvVariables(values, findings)


def _problem(key: str | None, value: str | None, *, error: bool) -> str:
    """Why a line is not valid; empty for a variable, a comment or an empty line."""
    if error:
        return "this line cannot be read"
    if key is None:
        return ""
    if not _NAME.fullmatch(key):
        return f"'{brief(key)}' is not a valid name of an environment variable"
    if value is None:
        return f"'{brief(key)}' has no value"
    return f"the value of '{brief(key)}' contains a NUL character" if "\0" in value else ""


def _blank_lines(text: str) -> int:
    """The number of empty lines that the parser joined with the line after them."""
    return text[: len(text) - len(text.lstrip())].count("\n")
