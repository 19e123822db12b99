"""What all dialects' wire models share: types for values as they are written, and errors in the author's words."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import ErrorDetails

from dagrun.dialects import elsewhere
from dagrun.dialects.base import Path
from dagrun.errors import did_you_mean
from dagrun.model import DURATION_PATTERN, NAME_PATTERN, NAME_RULE, seconds
from dagrun.source import Finding, Source


class Wire(BaseModel):
    """A node of a document: its keys and their types, no others, no conversions that a reader would not expect.

    A field that may be None is a key that may be left out. A key with nothing after it is a slip.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> Any:
        model: Any = handler(source)
        for field in model["schema"]["fields"].values():
            default = field["schema"]
            if default["type"] == "default" and default["schema"]["type"] == "nullable":
                default["schema"] = default["schema"]["schema"]
        return model


_NAME = rf"^{NAME_PATTERN}$"
_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"
AXIS = r"^[A-Za-z_][A-Za-z0-9_-]*$"
_PORT = r"^([1-9][0-9]{0,4}:)?[1-9][0-9]{0,4}(/(tcp|udp))?$"
_MOUNT = r"^[^:]+:/[^:]*(:(ro|rw))?$"
#: What is wrong with a text that does not match.
_MISMATCHES: Mapping[str, str] = {
    _NAME: f"is no valid name: {NAME_RULE}",
    _VARIABLE: "cannot name an environment variable",
    AXIS: "cannot name an axis: write letters, digits, '_' and '-', starting with a letter",
    _MOUNT: "mounts nothing; write 'source:/target', or 'source:/target:ro' to keep it as it is",
}
_PLAIN: dict[str, Any] = {"not": {"type": "string", "pattern": r"\$\{\{"}}
_SECONDS = rf"\s*(?=\S)(?:\d+(?:\.\d+)?|{DURATION_PATTERN})\s*$"


def _timeout(value: object) -> object:
    number = seconds(value)
    if number <= 0:
        raise ValueError("must be more than 0 seconds")
    return number


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


def _condition(value: object) -> object:
    """YAML's own true and false are conditions too."""
    return str(value).lower() if isinstance(value, bool) else value


def _value(value: object) -> object:
    if not isinstance(value, str | int | float):
        raise ValueError("must be a text, a number, true or false")  # noqa: TRY004 - pydantic takes only these
    return _plain(value)


def _port(value: object) -> object:
    if isinstance(value, bool) or not re.match(_PORT, str(value)):
        raise ValueError("must be a port, such as 5432 or '8080:80'")
    return value


# The schema of each says what its validator does: a test holds the two against each other.
Name = Annotated[str, Field(pattern=_NAME)]
Variable = Annotated[str, Field(pattern=_VARIABLE)]
Axis = Annotated[str, Field(pattern=AXIS)]
Port = Annotated[
    Any,
    BeforeValidator(_port),
    WithJsonSchema({"type": ["integer", "string"], "minimum": 1, "pattern": _PORT}),
]
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
Condition = Annotated[str, BeforeValidator(_condition), WithJsonSchema({"type": ["string", "boolean"]})]
#: Text that holds no expressions; one of these is split into words as a shell does.
Plain = Annotated[str, BeforeValidator(_plain), WithJsonSchema({"type": "string", **_PLAIN})]
CommandLine = Annotated[
    str, BeforeValidator(_command), WithJsonSchema({"type": "string", **_PLAIN, "pattern": "\\S"})
]
Mount = Annotated[str, Field(pattern=_MOUNT), BeforeValidator(_plain)]
#: A value of a matrix. Its text is asked of the source: what YAML makes of `3.10` is not what was written.
Value = Annotated[
    Any, BeforeValidator(_value), WithJsonSchema({"type": ["string", "number", "boolean"], **_PLAIN})
]
Env = dict[Variable, str | int | float | bool | None]


def _shown(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def written(source: Source, path: Path) -> str:
    """The text of a scalar as it was written; nothing is empty."""
    text = source.written(path)
    return "" if text is None or text in ("~", "null", "Null", "NULL") else text


#: How pydantic names the members of a union where it tells what is wrong with them, and a mapping's key.
_SCALARS = frozenset({"str", "int", "float", "bool", "[key]"})
_MEMBERS = ("list[", "dict[", "function-", "constrained-")
_TYPES = frozenset(f"{each}_type" for each in ("string", "int", "float", "bool", "list", "dict", "model"))

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
    branches = {each.__name__ for each in _models_below(model)}
    details = [(_steps(detail, branches), detail) for detail in error.errors(include_url=False)]
    typed = {steps[:length] for steps, _ in details for length in range(len(steps))}
    typed |= {steps for steps, detail in details if detail["type"] not in _TYPES}
    found: dict[tuple[Path, str], Finding] = {}
    for steps, detail in details:
        if detail["type"] in _TYPES and steps in typed:
            continue  # a union tells each of its members' complaints; one of them liked the type
        finding = _finding(steps, detail, source, path, model, later)
        found.setdefault((steps, finding.code), finding)
    for (steps, code), finding in found.items():
        if (
            code != "missing-key"
            or not any(
                elsewhere.names(other.suggestion, {str(steps[-1])})  # it is there, under another name
                for (beside, unknown), other in found.items()
                if unknown == "unknown-key" and beside[:-1] == steps[:-1]
            )
        ):
            yield finding


def _steps(detail: ErrorDetails, branches: Collection[str]) -> Path:
    """The way to what is wrong, without the names that pydantic gives to a union's members."""
    loc = detail["loc"]
    if detail["type"] not in ("missing", "extra_forbidden") and loc and loc[-1] in _SCALARS:
        loc = loc[:-1]
    return tuple(part for part in loc if part not in branches and not str(part).startswith(_MEMBERS))


def _finding(
    steps: Path,
    detail: ErrorDetails,
    source: Source,
    path: Path,
    model: type[BaseModel],
    later: Mapping[str, str],
) -> Finding:
    at = (*path, *steps)
    last = str(steps[-1]) if steps else ""
    match detail["type"]:
        case "extra_forbidden" if last in later and len(steps) == 1:
            return unsupported(source, at, last, later[last])
        case "extra_forbidden":
            suggestion = elsewhere.advice(last, _keys_at(model, steps))
            place = source.place(at, key=True)
            return Finding(place, f"unknown key '{_shown(last)}'", "unknown-key", suggestion)
        case "missing":
            return Finding(source.place(at[:-1]), f"missing key '{last}'", "missing-key")
        case _ if detail["input"] is None and isinstance(steps[-1], str):
            message = "must have a value, or be left out"
        case "string_pattern_mismatch":
            message = f"'{_shown(detail['input'])}' {_MISMATCHES[detail['ctx']['pattern']]}"
        case "value_error":
            message = str(detail["ctx"]["error"])
        case kind if kind in _SENTENCES:
            message = _SENTENCES[kind].format(**detail.get("ctx", {}))
        case _:
            message = detail["msg"].replace("Input should be", "must be", 1)
    subject = next((part for part in reversed(steps) if isinstance(part, str)), "")
    if subject and not message.startswith("'"):
        message = (
            f"'{_shown(subject)}': {message}"
            if not message.startswith("must")
            else f"'{_shown(subject)}' {message}"
        )
    place = source.place(at, key=detail["loc"][-1] == "[key]")
    return Finding(place, message, "invalid-value", _suggestion(detail, steps))


def _keys_at(model: type[BaseModel], steps: Path) -> list[str]:
    """The keys of the node, some way inside, that holds what is at `steps`."""
    for part in steps[:-1]:
        named = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
        model = next(_models_in(named.get(str(part))), model)  # an index, or a name of the author's: no step
    return words(model)


def _models_below(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for field in model.model_fields.values():
        for inner in _models_in(field.annotation):
            yield inner
            yield from _models_below(inner)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _suggestion(detail: ErrorDetails, steps: Path) -> str:
    """What to write instead of the value at `steps`."""
    kind, value, key = detail["type"], detail["input"], steps[-1] if steps else ""
    if kind == "string_type" and isinstance(value, int | float):
        return "put it in quotes"
    if "matrix" in steps and steps[-1] != "matrix":
        return _in_matrix(kind, value, steps[steps.index("matrix") + 1 :])
    if not isinstance(value, str):
        return _AXIS if key == "matrix" else ""
    match kind:
        case "list_type":
            return f"write a list: [{_shown(value)}]"
        case "model_type" if key in _REFERENCES:
            return f"write {{name: {_shown(value)}}}"
        case "literal_error":
            return did_you_mean(value, re.findall(r"'([^']*)'", detail["ctx"]["expected"]))
        case "float_type":
            with contextlib.suppress(ValueError):
                return f"write it in seconds: {seconds(value):g}"
        case "value_error" if key == "for_each" and "${{" not in value:
            return f"write ${{{{ {_shown(value)} }}}}, or a list"
    return ""


def _in_matrix(kind: str, value: object, steps: Path) -> str:
    """What to write at some way inside a matrix."""
    word, entries = str(steps[0]), ("exclude", "include")
    if word in entries:
        if kind in ("list_type", "dict_type"):
            return f"write a list of mappings, such as `{word}: [{{os: alpine}}]`"
        return ""
    if kind == "list_type" and (said := _BESIDE_MATRIX.get(word)):
        return said
    if isinstance(value, list | dict):
        hint = "name it with a text; 'include' adds further keys to it" if kind == "value_error" else ""
        return did_you_mean(word, entries) or hint
    if kind != "list_type" or value is None:
        return ""
    if "${{" in str(value):
        return "a list that only the run knows stands in 'for_each'"
    return f"write a list: [{_shown(str(value))}]"


#: What stands beside a matrix, in it or around it, elsewhere.
_BESIDE_MATRIX: Mapping[str, str] = {
    "fail-fast": "here it is 'on_error: continue', beside the matrix",
    "max-parallel": "here it is 'max_parallel', beside the matrix",
}
_AXIS = "give it an axis: `os: [ubuntu, alpine]`"
_REFERENCES = frozenset({"toolRef", "agentRef", "policyRef"})


def unsupported(source: Source, at: Path, key: str, feature: str) -> Finding:
    """A word of the language that this version does not know yet: refused by name, never ignored."""
    return Finding(
        source.place(at, key=True), f"'{key}' ({feature}) is not supported yet", "not-supported-yet"
    )


def words(model: type[BaseModel]) -> list[str]:
    """The keys of a node, as an author writes them."""
    return [field.alias or name for name, field in model.model_fields.items()]
