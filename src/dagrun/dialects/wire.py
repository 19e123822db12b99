"""What all dialects' wire models share: types for values as they are written, and errors in the author's words."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic_core import ErrorDetails

from dagrun.dialects.base import Path
from dagrun.errors import did_you_mean
from dagrun.model import DURATION_PATTERN, NAME_PATTERN, NAME_RULE, is_name, seconds
from dagrun.source import Finding, Source


class Wire(BaseModel):
    """A node of a document: its keys and their types, no others, no conversions that a reader would not expect."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)

    @field_validator("*", mode="before")
    @classmethod
    def _said(cls, value: object, info: ValidationInfo) -> object:
        """A key with nothing after it is a slip: whoever has nothing to say leaves it out."""
        field = cls.model_fields[info.field_name or ""]
        if value is None and field.annotation is not Any:
            raise ValueError("must have a value, or be left out")
        return value


_VARIABLE = "[A-Za-z_][A-Za-z0-9_]*"
_PLAIN: dict[str, Any] = {"type": "string", "not": {"pattern": r"\$\{\{"}}
_SECONDS = rf"\s*(?=\S)(?:\d+(?:\.\d+)?|{DURATION_PATTERN})\s*$"


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
    if isinstance(value, str) and not re.fullmatch(_VARIABLE, value):
        raise ValueError(f"'{_shown(value)}' cannot name an environment variable")
    return value


def _plain(value: object) -> object:
    if isinstance(value, str) and "${{" in value:
        raise ValueError("must be written out: ${{ }} is not evaluated here")
    return value


def _command(value: object) -> object:
    if isinstance(value, str):
        try:
            words = shlex.split(value)
        except ValueError as error:
            raise ValueError(f"must be a command line: {str(error).lower()}") from None
        if not words:
            raise ValueError("must be a command line, such as 'bash' or 'python3 -c'")
    return _plain(value)


def _text(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"})


# The schema of each says what its validator does: a test holds the two against each other.
Name = Annotated[str, BeforeValidator(_name), _text(NAME_PATTERN)]
Variable = Annotated[str, BeforeValidator(_variable), _text(_VARIABLE)]
Duration = Annotated[
    float,
    BeforeValidator(seconds),
    WithJsonSchema({"type": ["number", "string"], "minimum": 0, "pattern": f"^{_SECONDS}"}),
]
Timeout = Annotated[
    float,
    BeforeValidator(_timeout),
    WithJsonSchema(
        {"type": ["number", "string"], "exclusiveMinimum": 0, "pattern": f"^(?=.*[1-9]){_SECONDS}"}
    ),
]
#: Text that holds no expressions; one of these is split into words as a shell does.
Plain = Annotated[str, BeforeValidator(_plain), WithJsonSchema(_PLAIN)]
CommandLine = Annotated[str, BeforeValidator(_command), WithJsonSchema(_PLAIN | {"pattern": "\\S"})]
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


#: Pydantic's complaints in an author's words.
_SENTENCES: Mapping[str, str] = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
}


def findings(
    error: ValidationError, source: Source, path: Path, model: type[BaseModel], later: Mapping[str, str]
) -> Iterator[Finding]:
    """One finding for each thing that is wrong with the node at `path`, which is to be a `model`."""
    told: set[tuple[Path, str]] = set()
    for detail in error.errors(include_url=False):
        at, finding = _finding(detail, source, path, model, later)
        if (at, finding.code) not in told:  # a union tells each of its members' complaints
            told.add((at, finding.code))
            yield finding


def _finding(
    detail: ErrorDetails, source: Source, path: Path, model: type[BaseModel], later: Mapping[str, str]
) -> tuple[Path, Finding]:
    loc = tuple(part for part in detail["loc"] if not _is_union_branch(part))
    at = (*path, *loc)
    last = str(loc[-1]) if loc else ""
    match detail["type"]:
        case "extra_forbidden" if last in later and len(loc) == 1:
            return at, unsupported(source, at, last, later[last])
        case "extra_forbidden":
            suggestion = did_you_mean(last, _keys_at(model, loc))
            place = source.place(at, key=True)
            return at, Finding(place, f"unknown key '{_shown(last)}'", "unknown-key", suggestion)
        case "missing":
            return at, Finding(source.place(at[:-1]), f"missing key '{last}'", "missing-key")
        case "value_error":
            message = str(detail["ctx"]["error"])
        case kind if kind in _SENTENCES:
            message = _SENTENCES[kind].format(**detail.get("ctx", {}))
        case _:
            message = detail["msg"].replace("Input should be", "must be", 1)
    subject = next((str(part) for part in reversed(loc) if isinstance(part, str) and part != "[key]"), "")
    if subject and not message.startswith("'"):
        message = (
            f"'{_shown(subject)}': {message}"
            if not message.startswith("must")
            else f"'{_shown(subject)}' {message}"
        )
    place = source.place(at, key=detail["loc"][-1] == "[key]")
    return at, Finding(place, message, "invalid-value", _suggestion(detail))


def _keys_at(model: type[BaseModel], loc: Path) -> list[str]:
    """The keys of the node, some way inside, that holds what is at `loc`."""
    for part in loc[:-1]:
        if isinstance(part, str):
            named = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
            inner = next(_models_in(named.get(part)), None)
            if inner is None:
                return []
            model = inner
    return words(model)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


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
