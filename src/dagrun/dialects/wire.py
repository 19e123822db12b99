"""What all dialects' wire models share: types for values as they are written, and errors in the author's words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from dagrun.dialects.base import Path
from dagrun.errors import did_you_mean
from dagrun.model import NAME_RULE, is_name, seconds
from dagrun.source import Finding, Source


class Wire(BaseModel):
    """A node of a document: its keys and their types, no others, no conversions that a reader would not expect."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


def _name(value: object) -> object:
    if isinstance(value, str) and not is_name(value):
        raise ValueError(f"'{_shown(value)}' is no valid name: {NAME_RULE}")
    return value


def _timeout(value: object) -> object:
    number = seconds(value)
    if number <= 0:
        raise ValueError("must be more than 0 seconds")
    return number


def _variable(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
        raise ValueError(f"'{_shown(value)}' cannot name an environment variable")
    return value


Name = Annotated[str, BeforeValidator(_name)]
Duration = Annotated[float, BeforeValidator(seconds)]
Timeout = Annotated[float, BeforeValidator(_timeout)]
Variable = Annotated[str, BeforeValidator(_variable)]
Env = dict[Variable, str | int | float | bool | None]


def _shown(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def env_text(env: Mapping[str, Any], source: Source, path: Path) -> dict[str, str]:
    """Environment values as the text that was written: `3.10` stays `3.10`, nothing stays empty (CONTRACT 2.4)."""
    return {
        name: value if isinstance(value, str) else _written(source, (*path, name))
        for name, value in env.items()
    }


def _written(source: Source, path: Path) -> str:
    text = source.written(path)
    return "" if text is None or text in ("~", "null", "Null", "NULL") else text


def findings(
    error: ValidationError, source: Source, path: Path, known: Iterable[str], later: Mapping[str, str]
) -> Iterator[Finding]:
    """One finding for each thing that is wrong with the node at `path`, whose keys are `known`."""
    told: set[tuple[Path, str]] = set()
    for detail in error.errors(include_url=False):
        at, finding = _finding(detail, source, path, known, later)
        if (at, finding.code) not in told:  # a union tells each of its members' complaints
            told.add((at, finding.code))
            yield finding


def _finding(
    detail: ErrorDetails, source: Source, path: Path, known: Iterable[str], later: Mapping[str, str]
) -> tuple[Path, Finding]:
    loc = tuple(part for part in detail["loc"] if not _is_union_branch(part))
    at = (*path, *loc)
    last = str(loc[-1]) if loc else ""
    match detail["type"]:
        case "extra_forbidden" if last in later and len(loc) == 1:
            return at, unsupported(source, at, last, later[last])
        case "extra_forbidden":
            suggestion = did_you_mean(last, known) if len(loc) == 1 else ""
            place = source.place(at, key=True)
            return at, Finding(place, f"unknown key '{_shown(last)}'", "unknown-key", suggestion)
        case "missing":
            return at, Finding(source.place(at[:-1]), f"missing key '{last}'", "missing-key")
        case "value_error":
            message = str(detail["ctx"]["error"])
        case _:
            message = detail["msg"].replace("Input should be", "must be", 1)
    subject = next((str(part) for part in reversed(loc) if isinstance(part, str) and part != "[key]"), "")
    if subject and not message.startswith("'"):
        message = (
            f"'{_shown(subject)}': {message}"
            if not message.startswith("must")
            else f"'{_shown(subject)}' {message}"
        )
    return at, Finding(source.place(at), message, "invalid-value", _suggestion(detail))


def _is_union_branch(part: str | int) -> bool:
    return isinstance(part, str) and part in ("str", "int", "float", "bool", "[key]", "_Edge", "Edge")


def _suggestion(detail: ErrorDetails) -> str:
    if detail["type"] == "string_type" and isinstance(detail["input"], int | float):
        return "put it in quotes"
    if detail["type"] == "list_type" and isinstance(detail["input"], str):
        return f"write a list: [{_shown(detail['input'])}]"
    return ""


def unsupported(source: Source, at: Path, key: str, feature: str) -> Finding:
    """A word of the language that this version does not know yet: refused by name, never ignored."""
    return Finding(
        source.place(at, key=True), f"'{key}' ({feature}) is not supported yet", "not-supported-yet"
    )


def words(model: type[BaseModel]) -> list[str]:
    """The keys of a node, as an author writes them."""
    return [field.alias or name for name, field in model.model_fields.items()]


def one_of(data: Mapping[str, Any], keys: Sequence[str]) -> list[str]:
    """Which of the keys a node has."""
    return [key for key in keys if key in data]
