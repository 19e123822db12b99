"""What all dialects' wire models share: types for values as they are written, and errors in the author's words."""

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
    """A node of a document: its keys and their types, no others, no conversions that a reader would not expect.

    A field that may be None is a key that may be left out. A key with nothing after it is a slip.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> Any:
        model_type: Any = handler(source)
        for field in model_type["schema"]["fields"].values():
            default = field["schema"]
            if default["type"] == "default" and default["schema"]["type"] == "nullable":
                default["schema"] = default["schema"]["schema"]
        return model_type


_NAME = rf"^{NAME_PATTERN}$"
_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"
AXIS = r"^[A-Za-z_][A-Za-z0-9_-]*$"
_PORT = r"^([1-9][0-9]{0,4}:)?[1-9][0-9]{0,4}(/(tcp|udp))?$"
_MOUNT = r"^[^:]+:/[^:]*(:(ro|rw))?$"
#: What is wrong with a text that does not match.
_MISMATCHES: Mapping[str, str] = {
    _NAME: f"is no valid name: {NAME_RULE}",
    _VARIABLE: "is not a valid name of an environment variable",
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
            keys_of = shlex.split(value)
        except ValueError as error:
            raise ValueError(f"must be a command line: {str(error).lower()}") from None
        if not keys_of:
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
#: A plain number of them; 0 means none.
Seconds = Annotated[float, Field(ge=0, lt=10**10)]
Condition = Annotated[str, BeforeValidator(_condition), WithJsonSchema({"type": ["string", "boolean"]})]
#: Text that holds no expressions; one of these is split into words as a shell does.
Plain = Annotated[str, BeforeValidator(_plain), WithJsonSchema({"type": "string", **_PLAIN})]
CommandLine = Annotated[
    str, BeforeValidator(_command), WithJsonSchema({"type": "string", **_PLAIN, "pattern": "\\S"})
]
#: How a failed command can end.
ExitCode = Annotated[int, Field(ge=1, le=255)]
#: The name of a registered function.
Called = Annotated[
    str,
    Field(min_length=1),
    BeforeValidator(_plain),
    WithJsonSchema({"type": "string", "minLength": 1, **_PLAIN}),
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

_CODES: Mapping[str, str] = {"extra_forbidden": "unknown-key", "missing": "missing-key"}
_NOTHING: Mapping[str, str] = {}

#: What a value must be, one or the other.
_SHAPES: Mapping[str, str] = {
    "string_type": "text", "list_type": "a list", "dict_type": "a mapping", "model_type": "a mapping"
}  # fmt: skip
#: Pydantic's complaints in an author's words.
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
    """One finding for each thing that is wrong with the node at `path`, which is to be a `model`.

    `later` are words that this version does not know yet, `level` those that stand on another level of the document.
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
        option = synonyms.advice(word, _keys_at(model_type, steps), here, values.get(steps))
        if not option and sizes.get(node) == len(missing.get(node, ())) == 1:
            (key,) = missing[node]
            return f"'{key}' is missing: write {{{key}: {_shown(word)}}}"
        return option

    def is_reported(node: Path, key: str) -> bool:
        """Whether a missing key follows from others: it is there under another name, or the node is no such thing."""
        strangers = unknown.get(node, ())
        return (bool(strangers) and len(strangers) == sizes[node]) or any(
            synonyms.names(advice(each), {key}) for each in strangers
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
    """What is wrong by place and code. A union tells each of its members' complaints; they are one group."""
    branches = {each.__name__ for each in _models_below(model_type)}
    details = [(_steps(detail, branches), detail) for detail in error.errors(include_url=False)]
    typed = {steps[:length] for steps, _ in details for length in range(len(steps))}
    typed |= {steps for steps, detail in details if detail["type"] not in _TYPES}
    groups: dict[tuple[Path, str], list[ErrorDetails]] = {}
    for steps, detail in details:
        if detail["type"] not in _TYPES or steps not in typed:  # else a member of the union liked the type
            code = _CODES.get(detail["type"], "invalid-value")
            groups.setdefault((steps, code), []).append(detail)
    return groups


def _steps(detail: ErrorDetails, branches: Collection[str]) -> Path:
    """The way to what is wrong, without the names that pydantic gives to a union's members."""
    loc = detail["loc"]
    if detail["type"] not in ("missing", "extra_forbidden") and loc and loc[-1] in _SCALARS:
        loc = loc[:-1]
    return tuple(part for part in loc if part not in branches and not str(part).startswith(_MEMBERS))


def _sentence(steps: Path, details: Sequence[ErrorDetails]) -> str:
    """What is wrong with the value at `steps`."""
    detail = details[0]
    shapes = dict.fromkeys(_SHAPES[each["type"]] for each in details if each["type"] in _SHAPES)
    match detail["type"]:
        case _ if detail["input"] is None:
            message = "must have a value, or be left out"
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
    """The keys of the node, some way inside, that holds what is at `steps`."""
    for part in steps[:-1]:
        named = {field.alias or name: field.annotation for name, field in model_type.model_fields.items()}
        model_type = next(
            _models_in(named.get(str(part))), model_type
        )  # an index, or a name of the author's: no step
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
    """What to write instead of the value at `steps`."""
    kind, value, key = detail["type"], detail["input"], steps[-1] if steps else ""
    if "matrix" in steps and steps[-1] != "matrix" and kind != "string_type":
        return _in_matrix(kind, value, steps[steps.index("matrix") + 1 :])
    word = next((part for part in reversed(steps) if isinstance(part, str)), "")
    match kind, value:
        case "string_type", int() | float():
            return "put it in quotes"
        case "string_type", list() if word == "run":
            return "a list of commands stands under 'commands'"
        case "string_type", dict() if word in ("run", "commands"):
            return "text with ': ' in it needs quotes"
        case "string_type", dict() if word == "services":
            return "write `services` as a mapping of names"
        case "string_type", dict() if word in _NAMES:
            return "write the name alone"
        case "list_type", int() | float():
            return f"write a list: [{value}]"
        case "list_type", dict():
            return "write a list: begin each entry with `- `"
        case "dict_type", list() if word in _MAPPINGS:
            return "write `name: value`, without `-`"
        case "bool_type", int() | list() if key in ("continue_on_failure", "continueOnFailure"):
            codes = value if isinstance(value, list) else [value]
            return f"for certain exit codes alone write {{exit_codes: {_shown(str(codes))}}}"
        case "model_type", int() if key == "retry":
            return f"how often alone is said by `retries: {value}`"
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
    """The name that a text with spaces between its words would be; empty when that is no name either."""
    proposal = "-".join(text.split())
    return proposal if proposal != text and re.match(_NAME, proposal) else ""


def _in_matrix(kind: str, value: object, steps: Path) -> str:
    """What to write at some way inside a matrix."""
    word, entries = str(steps[0]), ("exclude", "include")
    if word in entries:
        if kind in ("list_type", "dict_type"):
            return f"write a list of mappings, such as `{word}: [{{os: alpine}}]`"
        return ""
    if kind == "list_type" and (option := _BESIDE_MATRIX.get(word)):
        return option
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
#: `A=b C="d e"`, as other tools write parameters.
_PAIRS = re.compile(r"""([A-Za-z_][A-Za-z0-9_-]*)=("[^"]*"|'[^']*'|\S+)""")
_AXIS = "give it an axis: `os: [ubuntu, alpine]`"
_REFERENCES = frozenset({"toolRef", "agentRef", "policyRef"})
_CURLED = frozenset("‘’“”")
_NAMES = frozenset({"dependsOn", "after", "parallel_with"})
_MAPPINGS = frozenset({"env", "params", "with", "outputs", "labels", "annotations"})
_BOOLEANS = {"yes": "true", "on": "true", "true": "true", "no": "false", "off": "false", "false": "false"}


def unsupported(source: Source, at: Path, key: str, feature: str) -> Finding:
    """A word of the language that this version does not know yet: refused by name, never ignored."""
    return Finding(
        source.place(at, key=True), f"'{key}' ({feature}) is not supported yet", "not-supported-yet"
    )


def keys_of(model_type: type[BaseModel]) -> list[str]:
    """The keys of a node, as an author writes them."""
    return [field.alias or name for name, field in model_type.model_fields.items()]
