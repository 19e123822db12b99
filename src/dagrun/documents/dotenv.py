"""Files of variables such as `.env`: one `NAME=value` a line. A value is what is written; nothing in it is expanded."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dagrun.core.model import Dag
from dagrun.documents.yaml import Finding, Place, Source

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WRITE: Final = "write NAME=value, with quotes around a value that has spaces or '#' in it"


@dataclass(frozen=True, slots=True)
class Variables:
    """What a file says, and what in it could not be read, each with its line."""

    values: dict[str, str]
    findings: Sequence[Finding]


def paths(dag: Dag) -> list[str]:
    """The files that a DAG and its tasks name, each once."""
    return list(dict.fromkeys((*dag.dotenv, *(path for task in dag.tasks for path in task.dotenv))))


def read(path: Path, shown: str) -> Variables:
    """The variables of a file. Raises DocumentError when it is missing or is not UTF-8."""
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
    return Variables(values, findings)


def _problem(key: str | None, value: str | None, *, error: bool) -> str:
    """Why a line says nothing; a comment and an empty line need not."""
    if error:
        return "this line cannot be read"
    if key is None:
        return ""
    if not _NAME.fullmatch(key):
        return f"'{key}' cannot name an environment variable"
    if value is None:
        return f"'{key}' has no value"
    return f"the value of '{key}' has a NUL character" if "\0" in value else ""


def _blank_lines(text: str) -> int:
    """How many lines the parser has taken in before the one that says something."""
    return text[: len(text) - len(text.lstrip())].count("\n")
