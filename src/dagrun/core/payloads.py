"""How parameters and outputs reach a body."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from dagrun.value import Value, field

#: Maximum bytes of one value in an environment variable, and of all variables of a task; larger values are passed in files.
MAX_VARIABLE_BYTES = 32 * 1024
MAX_ENVIRONMENT_BYTES = 256 * 1024

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,1024}")
_PREFIX = "DAGRUN_PARAM_"
_PARAMETER_VARIABLE = re.compile(rf"{_PREFIX}[A-Z0-9_]+")
_OVERHEAD = (
    10  # bytes that a variable takes besides its name and its value: '=', NUL and its place in a table
)


def parameter_variable(name: str, task_id: str = "") -> str | None:
    """The environment variable that carries the parameter `name` to a script, or the output `name` of a task.

    None for a name that makes none: it has letters, digits, `_`, `-` and `.`, of which the last two become `_`.
    """
    if not _NAME.fullmatch(name):
        return None
    prefix = re.sub(r"[^A-Z0-9_]", "_", task_id.upper()) + "__" if task_id else ""
    return _PREFIX + prefix + name.upper().replace("-", "_").replace(".", "_")


def merged_params(params: Mapping[str, Any], upstream: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A task's own params plus `<task>__<key>` for every output of its direct dependencies; upstream wins."""
    merged = dict(params)
    for task_id, outputs in upstream.items():
        for key, value in outputs.items():
            merged[f"{task_id}__{key}"] = value
    return merged


def by_output(variants: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """The outputs of a group: of each output a map from variant to value. `variants` are keys with their outputs."""
    found: dict[str, dict[str, Any]] = {}
    for key, outputs in variants:
        for name, value in outputs.items():
            found.setdefault(name, {})[key] = value
    return dict(found)


def variables_named_in(script: str) -> frozenset[str]:
    """The parameter variables that a script names."""
    return frozenset(_PARAMETER_VARIABLE.findall(script))


def as_bytes(value: Any) -> bytes:
    """A parameter as a script reads it: text unchanged, any other value as JSON."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    # A task may have written half a surrogate pair into its JSON, which UTF-8 cannot encode.
    return text.encode("utf-8", "replace")


def size_of(variables: Mapping[str, str | bytes]) -> int:
    """How many bytes variables take in an environment."""
    return sum(
        len(name)
        + len(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
        + _OVERHEAD
        for name, text in variables.items()
    )


class ParameterVariables(Value):
    """How the parameters of a script reach it, besides the one file that holds all of them."""

    #: The values passed in environment variables.
    variables: Mapping[str, bytes] = field(default_factory=dict)
    #: The values passed in a file each, by the variable with the path of the file.
    files: Mapping[str, bytes] = field(default_factory=dict)
    #: The variables left out of the environment, with the size of each value in bytes.
    left_out: Mapping[str, int] = field(default_factory=dict)
    #: The variables that several parameters map to, with the names of those parameters.
    ambiguous: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def parameter_variables(
    params: Mapping[str, Any], upstream: Mapping[str, Mapping[str, Any]], named: Collection[str], room: int,
    path_length: int,
) -> ParameterVariables:  # fmt: skip
    """Which parameters become environment variables, which get a file, and which are only in the file of all parameters.

    A value over 32 KiB, or with a NUL character, is no variable; nor are the largest values once all of them take more
    than `room` bytes, those that the script has `named` last. Each of these gets a file while the variables that name
    the files, `path_length` bytes each, take no more than `room` bytes; those that the script has named, always.
    """
    owners, ambiguous = _owners(params, upstream)
    merged = merged_params(params, upstream)
    values = {variable: as_bytes(merged[name]) for variable, name in owners.items()}
    inside = {
        variable: data
        for variable, data in values.items()
        if len(data) <= MAX_VARIABLE_BYTES and b"\0" not in data
    }
    total = size_of(inside)
    place = {variable: i for i, variable in enumerate(inside)}
    for variable in sorted(inside, key=lambda each: (each in named, -len(inside[each]), -place[each])):
        if total <= room:
            break
        total -= len(variable) + len(inside.pop(variable)) + _OVERHEAD
    left_out = {variable: len(data) for variable, data in values.items() if variable not in inside}
    files = dict(_files(values, left_out, named, room, path_length, taken=owners.keys() | ambiguous.keys()))
    return ParameterVariables(inside, files, left_out, ambiguous)


def _owners(
    params: Mapping[str, Any], upstream: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """The parameter that each variable holds. Where several map to one, the task's own parameter wins, else none."""
    claims: dict[str, dict[str, None]] = {}
    names = [(name, name, "") for name in params]
    names += [(f"{task_id}__{key}", key, task_id) for task_id, outputs in upstream.items() for key in outputs]
    for name, key, task_id in names:
        if (variable := parameter_variable(key, task_id)) is not None:
            claims.setdefault(variable, {})[name] = None
    owners: dict[str, str] = {}
    ambiguous: dict[str, tuple[str, ...]] = {}
    for variable, claiming in claims.items():
        first = [name for name in claiming if name in params] or list(claiming)
        if len(first) == 1:
            owners[variable] = first[0]
        else:
            ambiguous[variable] = tuple(claiming)
    return owners, ambiguous


def _files(
    values: Mapping[str, bytes], left_out: Collection[str], named: Collection[str], room: int, path_length: int,
    taken: Collection[str],
) -> Iterator[tuple[str, bytes]]:  # fmt: skip
    """The files of single values: first those that the script names, then the largest."""
    asked = dict.fromkeys(variable for variable in values if f"{variable}_FILE" in named)
    others = sorted((each for each in left_out if each not in asked), key=lambda each: -len(values[each]))
    for variable in (*asked, *others):
        name = f"{variable}_FILE"
        if name in taken:  # by a parameter of that name
            continue
        room -= len(name) + path_length + _OVERHEAD
        if room < 0 and variable not in asked:
            return
        yield name, values[variable]
