"""The parameters of a DAG: declarations, given values, and whether they match."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from dagrun.core.model import Dag, Param
from dagrun.documents.yaml import DocumentError, Source
from dagrun.errors import UsageError, did_you_mean
from dagrun.language import expressions
from dagrun.language.expressions import EvaluationError, ExpressionError, ScalarType, Scope

if TYPE_CHECKING:
    from dagrun.core.work import Json

_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "list": (list,),
    "object": (dict,),
}
_SCALAR_TYPES: Final[Mapping[str, ScalarType]] = {
    "string": "text", "integer": "number", "number": "number", "boolean": "boolean"
}  # fmt: skip
#: The longest value that a message shows. A longer one is not shortened: the masker could not recognise a part of a secret.
_SHOWN_AT_MOST: Final = 200
_MAX_LISTED: Final = 20


# --- given values ------------------------------------------------------------------------------------------


def resolve(dag: Dag, given: Mapping[str, Json]) -> dict[str, Json]:
    """The value of every parameter: the given one, otherwise its default as written. Raises UsageError with all problems."""
    if found := problems(dag, given):
        raise UsageError("\n".join(found))
    return {param.name: given.get(param.name, param.default) for param in dag.params}


def problems(dag: Dag, given: Mapping[str, Json], *, give: str = "give it with --param {}=...") -> list[str]:
    """All problems of given values: unknown names, wrong types, missing values.

    `give` tells the user how to give a missing value.
    """
    return misfits(dag.params, given, f"DAG '{dag.name}'", give=give)


def misfits(
    params: Sequence[Param], given: Mapping[str, Json], owner: str, *, noun: str = "parameter", give: str
) -> list[str]:
    """The same for the parameters, or the inputs, of anything; `owner` and `noun` name them in messages."""
    declared = {param.name: param for param in params}
    found = [_unknown(owner, name, declared, noun) for name in given if name not in declared]
    for param in params:
        if param.name in given:
            problem = _problem(param, given[param.name], noun=noun)
            found += [problem] if problem else []
        elif param.required and param.default is None:
            found.append(f"{noun} '{param.name}' is required: {give.format(param.name)}")
    return found


def from_flags(
    params: Sequence[Param], flags: Sequence[str], flag: str = "--param"
) -> tuple[dict[str, Json], list[str]]:
    """The values of `name=value` texts, and the problems of the texts that cannot be read. They were given with `flag`."""
    values: dict[str, Json] = {}
    found: list[str] = []
    for text in flags:
        try:
            name, value = from_flag(params, text, flag)
            values[name] = value
        except UsageError as error:
            found.append(f"{error.message}: {error.hint}" if error.hint else error.message)
    return values, found


def from_flag(params: Sequence[Param], text: str, flag: str = "--param") -> tuple[str, Json]:
    """The name and the value of a text such as `region=us`. Raises UsageError.

    The value of a text parameter is the text itself, any other is read as a YAML scalar or flow collection.
    """
    name, equals, written = text.partition("=")
    if not equals or not name:
        raise UsageError(f"{flag} {text!r} does not have the form name=value")
    declared = next((param for param in params if param.name == name), None)
    if not written or (declared and takes_text(declared)):
        return name, written
    start = written.lstrip()[:1]
    if start not in tuple("[{\"'"):
        value = Source.scalar(written.strip())
        return name, written if isinstance(value, str) else value
    try:
        value = Source.inline(written, f"{flag} {name}").load()
    except DocumentError as error:
        why = error.findings[0].message
        hint = "close all brackets and quotes, quote text for YAML too, or declare the parameter as `type: string`"
        raise UsageError(f"{flag} {name}={written} is not a YAML value: {why}", hint=hint) from None
    if isinstance(value, dict) and start != "{":
        raise UsageError(
            f"{flag} {name}={written} is a mapping without braces",
            hint="write {key: value}, or put it all in quotes",
        )
    return name, value


def from_file(dag: Dag, source: Source) -> dict[str, Json]:
    """The values in a file of parameters; a number for a text parameter keeps its text. Raises DocumentError, UsageError."""
    data = source.load()
    if not isinstance(data, dict):
        raise UsageError(f"{source.path} must contain a mapping of parameters")
    for param in dag.params:
        value = data.get(param.name)
        if takes_text(param) and isinstance(value, bool | int | float):
            data[param.name] = source.written((param.name,)) or value
    return data


def takes_text(param: Param) -> bool:
    """Whether a value is text as written: the parameter is declared as string, or its default or choices are text."""
    if param.type is not None:
        return param.type == "string"
    if param.default is not None:
        return isinstance(param.default, str)
    return bool(param.enum) and all(isinstance(choice, str) for choice in param.enum)


def scalar_type(param: Param) -> ScalarType | None:
    """The certain type of the value; None if it is not certain, not a scalar, or may be null."""
    if param.type is None or is_deferred(param.default) or (param.default is None and not param.required):
        return None
    return _SCALAR_TYPES.get(param.type)


def problem_with_default(param: Param, noun: str = "parameter") -> str | None:
    """The problem of a declaration itself. The value of an expression is checked when it is evaluated."""
    for choice in param.enum:
        if problem := _misfit(param, choice, "a choice of ", noun):
            return problem
    if param.default is None or is_deferred(param.default):
        return None
    return _problem(param, param.default, "the default of ", noun)


def converted(param: Param, value: Json) -> Json:
    """A value that another DAG gives: text for a parameter that takes no text is read as a value of `--param` is."""
    declares_other = param.type is not None or param.default is not None
    if not isinstance(value, str) or takes_text(param) or not declares_other:
        return value
    try:
        return from_flag((param,), f"{param.name}={value}")[1]
    except UsageError:  # it does not fit, which is reported with the text
        return value


def problem_with_value(param: Param, value: Json) -> str | None:
    """Why another DAG cannot give this value to the parameter; None if it can."""
    return _problem(param, converted(param, value))


def _unknown(owner: str, name: str, declared: Mapping[str, Param], noun: str) -> str:
    hint = did_you_mean(name, declared) or (f"it has: {_listed(declared)}" if declared else "it has none")
    return f"{owner} has no {noun} '{name}' ({hint})"


def _listed(values: Collection[Any]) -> str:
    """Values for a message, the first few of many."""
    more = f" and {len(values) - _MAX_LISTED:,} more" if len(values) > _MAX_LISTED else ""
    return ", ".join(map(str, islice(values, _MAX_LISTED))) + more


def _problem(param: Param, value: Json, which: str = "", noun: str = "parameter") -> str | None:
    if problem := _misfit(param, value, which, noun):
        return problem
    if param.enum and not any(expressions.equal(value, choice) for choice in param.enum):
        return f"{which}{noun} '{param.name}' must be one of {_listed(param.enum)}, not {_described(value)}"
    return None


def _misfit(param: Param, value: Json, which: str, noun: str = "parameter") -> str | None:
    """Why a value is not valid for the parameter, whatever its choices are."""
    if param.type is not None:
        fits = isinstance(value, _TYPES[param.type])
        if not fits or (isinstance(value, bool) and param.type != "boolean"):
            quote = "; put it in quotes" if param.type == "string" and isinstance(value, int | float) else ""
            return (
                f"{which}{noun} '{param.name}' must be of type {param.type}, not {_described(value)}{quote}"
            )
    if flaw := _unrecordable(value):
        return f"{which}{noun} '{param.name}' contains {flaw}"
    return None


def _unrecordable(value: Any) -> str:
    """The part of a value that cannot be recorded, since parameters are recorded as JSON in UTF-8; empty if there is none."""
    pile = [value]
    while pile:
        value = pile.pop()
        if isinstance(value, float) and not math.isfinite(value):
            return "a number that JSON does not have: .inf or .nan"
        if isinstance(value, str) and not _is_text(value):
            return f"bytes that are not UTF-8 text: {_described(value)}"
        if isinstance(value, dict):
            pile.extend(value)
            pile.extend(value.values())
        elif isinstance(value, list):
            pile.extend(value)
    return ""


def _is_text(text: str) -> bool:
    """Whether a text is Unicode. Python represents bytes that are not UTF-8 as half a character (a lone surrogate)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _described(value: Any) -> str:
    """A value for a message: its type, and the value itself if it is short."""
    if value is None:
        return "null"
    kind = (
        "boolean"
        if isinstance(value, bool)
        else next(name for name, types in _TYPES.items() if isinstance(value, types))
    )
    written = (
        (repr(value) if _is_text(value) else ascii(value))
        if isinstance(value, str)
        else json.dumps(value, ensure_ascii=False)
    )
    return f"{kind} {written}" if len(written) <= _SHOWN_AT_MOST else f"{kind} of {len(written):,} characters"


# --- defaults that are expressions -------------------------------------------------------------------------


def is_deferred(default: Any) -> bool:
    """Whether a default contains a `${{ }}`, so that its value is known only when a run is created."""
    if isinstance(default, str):
        return "${{" in default
    if isinstance(default, Mapping):
        return any(map(is_deferred, default.values()))
    return isinstance(default, list | tuple) and any(map(is_deferred, default))


def deferred(dag: Dag, given: Mapping[str, Json]) -> frozenset[str]:
    """The parameters without a given value whose defaults must be evaluated."""
    return frozenset(
        param.name for param in dag.params if param.name not in given and is_deferred(param.default)
    )


def evaluated(dag: Dag, params: Mapping[str, Json], names: frozenset[str], scope: Scope) -> dict[str, Json]:
    """The values of all parameters, with those of `names` evaluated. Raises UsageError with all problems."""
    values, found = dict(params), list[str]()
    for param in dag.params:
        if param.name not in names:
            continue
        try:
            values[param.name] = expressions.render_all(
                params[param.name], lambda text: expressions.template(text).render(scope)
            )
        except (EvaluationError, ExpressionError) as error:
            found.append(f"the default of parameter '{param.name}': {error.message}")
            continue
        value = values[param.name]
        problem = None if value is None and not param.required else _problem(param, value, "the default of ")
        found += [problem] if problem else []
    if found:
        raise UsageError("\n".join(found))
    return values


def env_beyond_defaults(dag: Dag) -> frozenset[str]:
    """The names in `env` of the document that a default cannot read: they need parameters, or contain secrets."""
    found: set[str] = set()
    for name, text in dag.env.items():
        for reference in expressions.references(text):
            read = reference.path[0] if reference.path else None
            if reference.root in ("params", "secrets") or (
                reference.root == "env" and read in found - {name}
            ):
                found.add(name)
    return frozenset(found)
