"""Types of values for the models of all dialects, and validation errors in the words of the author."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
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

from dagrun.core.model import DURATION_PATTERN, NAME_PATTERN, NAME_RULE, seconds
from dagrun.documents.dialects import synonyms
from dagrun.documents.dialects.dialect import Path
from dagrun.documents.yaml import Finding, Source
from dagrun.errors import did_you_mean


class StrictModel(BaseModel):
    """A node of a document: only the known keys, and no surprising conversions.

    A field that may be None is an optional key. A key without a value is an error.
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
_TIME = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
_PORT = r"^([1-9][0-9]{0,4}:)?[1-9][0-9]{0,4}(/(tcp|udp))?$"
_MOUNT = r"^[^:]+:/[^:]*(:(ro|rw))?$"
#: The messages for texts that do not match a pattern.
_MISMATCHES: Mapping[str, str] = {
    _NAME: f"is not a valid name: {NAME_RULE}",
    _VARIABLE: "is not a valid name of an environment variable",
    AXIS: "is not a valid name of an axis: use letters, digits, '_' and '-', and start with a letter or '_'",
    _MOUNT: "is not a valid mount; write 'source:/target', or 'source:/target:ro' for read-only",
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
        raise ValueError("must not contain ${{ }}, which is not evaluated here")
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
    """The YAML values true and false are conditions too."""
    return str(value).lower() if isinstance(value, bool) else value


def _value(value: object) -> object:
    if not isinstance(value, str | int | float):
        raise ValueError("must be text, a number, true or false")  # noqa: TRY004 - pydantic takes only these
    return _plain(value)


def _port(value: object) -> object:
    if isinstance(value, bool) or not re.match(_PORT, str(value)):
        raise ValueError("must be a port, such as 5432 or '8080:80'")
    return value


def _time_of_day(value: object) -> object:
    if not isinstance(value, str) or not re.match(_TIME, value):
        raise ValueError('must be a time of day as text, such as "06:30"')
    return value


# The schema of each type matches its validator: a test compares the two.
Name = Annotated[str, Field(pattern=_NAME)]
Variable = Annotated[str, Field(pattern=_VARIABLE)]
Axis = Annotated[str, Field(pattern=AXIS)]
TimeOfDay = Annotated[
    str, BeforeValidator(_time_of_day), WithJsonSchema({"type": "string", "pattern": _TIME})
]
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
#: A plain number of seconds; 0 means no limit.
Seconds = Annotated[float, Field(ge=0, lt=10**10)]
Condition = Annotated[str, BeforeValidator(_condition), WithJsonSchema({"type": ["string", "boolean"]})]
#: Text without expressions; a command line is split into words as in a shell.
Plain = Annotated[str, BeforeValidator(_plain), WithJsonSchema({"type": "string", **_PLAIN})]
CommandLine = Annotated[
    str, BeforeValidator(_command), WithJsonSchema({"type": "string", **_PLAIN, "pattern": "\\S"})
]
#: The exit code of a failed command.
ExitCode = Annotated[int, Field(ge=1, le=255)]
#: The name of a registered function.
Called = Annotated[
    str,
    Field(min_length=1),
    BeforeValidator(_plain),
    WithJsonSchema({"type": "string", "minLength": 1, **_PLAIN}),
]
Mount = Annotated[str, Field(pattern=_MOUNT), BeforeValidator(_plain)]
#: A value of a matrix. Its text comes from the source, because YAML turns `3.10` into a number.
Value = Annotated[
    Any, BeforeValidator(_value), WithJsonSchema({"type": ["string", "number", "boolean"], **_PLAIN})
]
Env = dict[Variable, str | int | float | bool | None]


def _shown(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def written(source: Source, path: Path) -> str:
    """The text of a scalar as written in the document; a null is the empty text."""
    text = source.written(path)
    return "" if text is None or text in ("~", "null", "Null", "NULL") else text


#: The names of pydantic for members of a union, and for the key of a mapping, in the location of an error.
_SCALARS = frozenset({"str", "int", "float", "bool", "[key]"})
_MEMBERS = ("list[", "dict[", "function-", "constrained-")
_TYPES = frozenset(f"{each}_type" for each in ("string", "int", "float", "bool", "list", "dict", "model"))

_CODES: Mapping[str, str] = {"extra_forbidden": "unknown-key", "missing": "missing-key"}
_NOTHING: Mapping[str, str] = {}

#: The required types of a value, any of which is fine.
_SHAPES: Mapping[str, str] = {
    "string_type": "text", "list_type": "a list", "dict_type": "a mapping", "model_type": "a mapping"
}  # fmt: skip
#: The errors of pydantic in the words of an author.
_SENTENCES: Mapping[str, str] = {
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "finite_number": "must be a finite number",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be less than {lt:,.0f}",
    "less_than_equal": "must be at most {le:g}",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
}


def findings(
    error: ValidationError,
    source: Source,
    path: Path,
    model_type: type[BaseModel],
    later: Mapping[str, str],
    level: Mapping[str, str] = _NOTHING,
) -> Iterator[Finding]:
    """The findings for the validation errors of a node, one for each value.

    `later` are keys of later versions with their features; `level` gives advice for keys that belong to another level of
    the document.
    """
    groups = _grouped(error, model_type)
    unknown: dict[Path, list[Path]] = {}
    values: dict[Path, object] = {}
    missing: dict[Path, list[str]] = {}
    sizes: dict[Path, int] = {}
    for (steps, code), (detail, *_) in groups.items():
        if code == "unknown-key":
            unknown.setdefault(steps[:-1], []).append(steps)
            values[steps] = detail["input"]
        elif code == "missing-key":
            missing.setdefault(steps[:-1], []).append(str(steps[-1]))
            sizes[steps[:-1]] = len(detail["input"])

    def advice(steps: Path) -> str:
        word, node = str(steps[-1]), steps[:-1]
        here = level if not node or node == ("defaults",) else _NOTHING
        found = synonyms.advice(word, _keys_at(model_type, steps), here, values.get(steps))
        if not found and sizes.get(node) == len(missing.get(node, ())) == 1:
            (key,) = missing[node]
            return f"'{key}' is missing: write {{{key}: {_shown(word)}}}"
        return found

    def is_reported(node: Path, key: str) -> bool:
        """Whether a missing key follows from another error: it has another name, or the node is something else."""
        strangers = unknown.get(node, ())
        return (bool(strangers) and len(strangers) == sizes[node]) or any(
            synonyms.mentions(advice(each), {key}) for each in strangers
        )

    for (steps, code), details in groups.items():
        at, last = (*path, *steps), str(steps[-1]) if steps else ""
        if code == "missing-key":
            if not is_reported(steps[:-1], last):
                yield Finding(source.place(at[:-1]), f"missing key '{last}'", code)
        elif code == "unknown-key" and last in later and len(steps) == 1:
            yield unsupported(source, at, last, later[last])
        elif code == "unknown-key":
            yield Finding(source.place(at, key=True), f"unknown key '{_shown(last)}'", code, advice(steps))
        else:
            place = source.place(at, key=details[0]["loc"][-1] == "[key]")
            suggestions = (_suggestion(detail, steps) for detail in details)
            yield Finding(place, _sentence(steps, details), code, next(filter(None, suggestions), ""))


def _grouped(
    error: ValidationError, model_type: type[BaseModel]
) -> dict[tuple[Path, str], list[ErrorDetails]]:
    """The errors by path and code. The errors of all members of a union are one group."""
    branches = {each.__name__ for each in _models_below(model_type)}
    details = [(_steps(detail, branches), detail) for detail in error.errors(include_url=False)]
    typed = {steps[:length] for steps, _ in details for length in range(len(steps))}
    typed |= {steps for steps, detail in details if detail["type"] not in _TYPES}
    groups: dict[tuple[Path, str], list[ErrorDetails]] = {}
    for steps, detail in details:
        if (
            detail["type"] not in _TYPES or steps not in typed
        ):  # else another member of the union accepted the type
            code = _CODES.get(detail["type"], "invalid-value")
            groups.setdefault((steps, code), []).append(detail)
    return groups


def _steps(detail: ErrorDetails, branches: Collection[str]) -> Path:
    """The path of an error, without the names that pydantic gives to members of a union."""
    loc = detail["loc"]
    if detail["type"] not in ("missing", "extra_forbidden") and loc and loc[-1] in _SCALARS:
        loc = loc[:-1]
    return tuple(part for part in loc if part not in branches and not str(part).startswith(_MEMBERS))


def _sentence(steps: Path, details: Sequence[ErrorDetails]) -> str:
    """The message for the errors of one value."""
    detail = details[0]
    shapes = dict.fromkeys(_SHAPES[each["type"]] for each in details if each["type"] in _SHAPES)
    match detail["type"]:
        case _ if detail["input"] is None:
            message = "must have a value; remove the key if it is not needed"
        case "string_pattern_mismatch":
            message = f"'{_shown(detail['input'])}' {_MISMATCHES[detail['ctx']['pattern']]}"
        case "value_error":
            message = str(detail["ctx"]["error"])
        case kind if kind in _SHAPES:
            message = f"must be {' or '.join(shapes)}"
        case kind if kind in _SENTENCES:
            message = _SENTENCES[kind].format(**detail.get("ctx", {}))
        case _:
            message = detail["msg"].replace("Input should be", "must be", 1)
    subject = next((part for part in reversed(steps) if isinstance(part, str)), "")
    if not subject or message.startswith("'"):
        return message
    entry = "an entry of " if isinstance(steps[-1], int) else ""
    return f"{entry}'{_shown(subject)}'{' ' if message.startswith('must') else ': '}{message}"


def _keys_at(model_type: type[BaseModel], steps: Path) -> list[str]:
    """The known keys of the node that contains the value at `steps`."""
    for part in steps[:-1]:
        named = {field.alias or name: field.annotation for name, field in model_type.model_fields.items()}
        model_type = next(
            _models_in(named.get(str(part))), model_type
        )  # not a field: an index, or a name chosen by the author
    return keys_of(model_type)


def _models_below(model_type: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for field in model_type.model_fields.values():
        for inner in _models_in(field.annotation):
            yield inner
            yield from _models_below(inner)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _suggestion(detail: ErrorDetails, steps: Path) -> str:
    """What to write instead of a wrong value."""
    kind, value, key = detail["type"], detail["input"], steps[-1] if steps else ""
    if "matrix" in steps and steps[-1] != "matrix" and kind != "string_type":
        return _in_matrix(kind, value, steps[steps.index("matrix") + 1 :])
    word = next((part for part in reversed(steps) if isinstance(part, str)), "")
    match kind, value:
        case "string_type", int() | float():
            return "put it in quotes"
        case "string_type", list() if word == "run":
            return "write a list of commands under 'commands'"
        case "string_type", dict() if word in ("run", "commands"):
            return "put text that contains ': ' in quotes"
        case "string_type", dict() if word == "services":
            return "write `services` as a mapping of names"
        case "string_type", dict() if word in _NAMES:
            return "write only the name"
        case "list_type", int() | float():
            return f"write a list: [{value}]"
        case "list_type", dict():
            return "write a list: begin each entry with `- `"
        case "dict_type", list() if word in _MAPPINGS:
            return "write `name: value`, without `-`"
        case "bool_type", int() | list() if key in ("continue_on_failure", "continueOnFailure"):
            codes = value if isinstance(value, list) else [value]
            return f"to tolerate only certain exit codes write {{exit_codes: {_shown(str(codes))}}}"
        case "model_type", int() if key == "retry":
            return f"for the number of retries write `retries: {value}`"
    if not isinstance(value, str):
        return _AXIS if key == "matrix" else ""
    match kind:
        case "list_type":
            return f"write a list: [{_shown(value)}]"
        case "dict_type" if word in _MAPPINGS and (pairs := _PAIRS.findall(value)):
            return f"write a mapping: {{{', '.join(f'{name}: {_shown(text)}' for name, text in pairs)}}}"
        case "model_type" if key in _REFERENCES:
            return f"write {{name: {_shown(value)}}}"
        case "model_type" if steps[-2:-1] == ("services",):
            return f"write {{image: {_shown(value)}}}"
        case "string_pattern_mismatch" if (proposal := _as_name(value)) and detail["ctx"]["pattern"] == _NAME:
            return f"write {proposal}"
        case "string_pattern_mismatch" if not _CURLED.isdisjoint(value):
            return "write straight quotes"
        case "literal_error":
            return did_you_mean(value, re.findall(r"'([^']*)'", detail["ctx"]["expected"]))
        case "bool_type" if value.lower() in _BOOLEANS:
            return f"write {_BOOLEANS[value.lower()]}"
        case "int_type" if value.isdecimal():
            return "remove the quotes"
        case "float_type":
            with contextlib.suppress(ValueError):
                return f"write it in seconds: {seconds(value):g}"
        case "value_error" if key == "for_each" and "," in value:
            return f"write a list: [{', '.join(part.strip() for part in _shown(value).split(','))}]"
        case "value_error" if key == "for_each" and "${{" not in value:
            return f"write ${{{{ {_shown(value)} }}}}, or a list"
    return ""


def _as_name(text: str) -> str:
    """A valid name made of a text with spaces; empty if there is none."""
    proposal = "-".join(text.split())
    return proposal if proposal != text and re.match(_NAME, proposal) else ""


def _in_matrix(kind: str, value: object, steps: Path) -> str:
    """What to write instead of a wrong value inside a matrix."""
    word, entries = str(steps[0]), ("exclude", "include")
    if word in entries:
        if kind in ("list_type", "dict_type"):
            return f"write a list of mappings, such as `{word}: [{{os: alpine}}]`"
        return ""
    if kind == "list_type" and (advice := _NEAR_MATRIX.get(word)):
        return advice
    if isinstance(value, list | dict):
        hint = "write text or a number; 'include' can add further keys" if kind == "value_error" else ""
        return did_you_mean(word, entries) or hint
    if kind != "list_type" or value is None:
        return ""
    if "${{" in str(value):
        return "use 'for_each' for a list that is known only during the run"
    return f"write a list: [{_shown(str(value))}]"


#: Keys that other tools have next to a matrix, or around it.
_NEAR_MATRIX: Mapping[str, str] = {
    "fail-fast": "here it is 'on_error: continue', next to 'matrix'",
    "max-parallel": "here it is 'max_parallel', next to 'matrix'",
}
#: `A=b C="d e"`, the form of parameters in other tools.
_PAIRS = re.compile(r"""([A-Za-z_][A-Za-z0-9_-]*)=("[^"]*"|'[^']*'|\S+)""")
_AXIS = "give it an axis: `os: [ubuntu, alpine]`"
_REFERENCES = frozenset({"toolRef", "agentRef", "policyRef"})
_CURLED = frozenset("‘’“”")
_NAMES = frozenset({"dependsOn", "after", "parallel_with"})
_MAPPINGS = frozenset({"env", "params", "with", "outputs", "labels", "annotations"})
_BOOLEANS = {"yes": "true", "on": "true", "true": "true", "no": "false", "off": "false", "false": "false"}


def unsupported(source: Source, at: Path, key: str, feature: str) -> Finding:
    """The error for a key of a later version."""
    return Finding(
        source.place(at, key=True), f"'{key}' ({feature}) is not supported yet", "not-supported-yet"
    )


def keys_of(model_type: type[BaseModel]) -> list[str]:
    """The keys of a model, as an author writes them."""
    return [field.alias or name for name, field in model_type.model_fields.items()]
