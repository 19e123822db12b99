"""Registered workflows: the `@workflow` decorator, where functions are found, and what their signatures say."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
import typing
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from dagrun.core.work import Json, TaskContext
from dagrun.value import Value, field

Function = TypeVar("Function", bound=Callable[..., Any])

ENTRY_POINTS = "dagrun.workflows"

registered_functions: dict[str, Callable[..., Any]] = {}
project_directories: list[str] = []  # directories whose modules may be imported, after all others


def workflow(name: str) -> Callable[[Function], Function]:
    """Register a function, sync or async, as the workflow `name`; the function itself is not changed.

    Raises ValueError when another function already has that name.
    """

    def register(function: Function) -> Function:
        present = registered_functions.get(name)
        if present is not None and _home(present) != _home(function):
            raise ValueError(
                f"workflow '{name}' is registered twice: in {_home(present)} and in {_home(function)}"
            )
        registered_functions[name] = function
        return function

    return register


def _home(function: Callable[..., Any]) -> str:
    target = inspect.unwrap(function)
    code = getattr(target, "__code__", None)
    if code is None:  # a partial, a class, or another callable object
        kind = target if isinstance(target, type) else type(target)
        return f"{kind.__module__}.{getattr(target, '__qualname__', kind.__qualname__)}"
    return f"{code.co_filename}:{code.co_firstlineno}"


def _file(function: Callable[..., Any]) -> str | None:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return code.co_filename if code is not None else None


class Origin(Value):
    """Where workflows are found: `kind` is module, file or entry_point; `listed` when the user named it."""

    kind: str
    target: str
    listed: bool = True

    def __str__(self) -> str:
        return self.target


class Parameter(Value):
    """One parameter of a workflow, as text for people; `default` is None when there is none."""

    name: str
    annotation: str
    default: str | None
    required: bool


class Workflow(Value):
    """A registered function as data. `takes_rest`: it accepts any further parameter."""

    name: str
    doc: str
    parameters: tuple[Parameter, ...]
    takes_rest: bool
    origin: Origin
    home: str

    def to_json(self) -> dict[str, Json]:
        """The shape of `dagrun workflows -o json`."""
        return {**msgspec.to_builtins(self), "origin": str(self.origin)}


class Failure(Value):
    """An origin that could not be read, and why."""

    origin: Origin
    error: str


class Registry(Value):
    """The registered workflows, and the origins that could not be read."""

    workflows: Mapping[str, Workflow] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()


# --- runs in a worker: user code is imported there and nowhere else ----------------------------------------


def origins(listed: Iterable[str], root: Path) -> list[Origin]:
    """The origins to read: entry points, then what the user listed (modules, or `.py` files below `root`)."""
    found = [
        Origin("entry_point", point.value, listed=False)
        for point in sorted(_entry_points(), key=lambda point: point.name)
    ]
    for text in listed:
        if text.endswith(".py") or "/" in text:
            found.append(Origin("file", str(root / text)))
        else:
            found.append(Origin("module", text))
    return list(dict.fromkeys(found))


def _entry_points() -> Iterable[Any]:
    from importlib.metadata import entry_points

    return entry_points(group=ENTRY_POINTS)


def load(origin: Origin) -> dict[str, Callable[..., Any]]:
    """Import what `origin` names and return the functions registered by it, by name. User code runs here."""
    before = dict(registered_functions)
    target = origin.target
    if origin.kind == "file":
        module = _import_file(Path(target))
    else:
        name = target.partition(":")[0]
        if origin.listed:
            _refuse_shadowed(name)
        module = importlib.import_module(name)
    fresh = {
        name: function for name, function in registered_functions.items() if before.get(name) is not function
    }
    # A module that was imported earlier keeps what it registered then.
    path = getattr(module, "__file__", None)
    for name, function in registered_functions.items():
        if path and _file(function) == path:
            fresh.setdefault(name, function)
    return fresh


def add_to_path(directory: str) -> None:
    """Make modules in `directory` importable, after those of Python and of libraries, which they must not replace."""
    project_directories.append(directory)
    if directory not in sys.path:
        sys.path.append(directory)


def _refuse_shadowed(name: str) -> None:
    """Raises ImportError for a module that the user listed and has, if that name imports another module."""
    top = name.partition(".")[0]
    mine = [
        path
        for directory in project_directories
        for path in (Path(directory) / f"{top}.py", Path(directory) / top / "__init__.py")
        if path.is_file()
    ]
    spec = importlib.util.find_spec(top) if mine else None
    if spec is not None and not any(spec.origin and Path(spec.origin) == path for path in mine):
        raise ImportError(
            f"'{top}' is a module of Python or of a library ({spec.origin}), not {mine[0]}: "
            f"give yours another name, or list it as a file"
        )


def _import_file(path: Path) -> Any:
    name = "dagrun_file_" + path.stem.replace("-", "_").replace(".", "_") + f"_{abs(hash(str(path))):x}"
    if name in sys.modules:
        return sys.modules[name]
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    add_to_path(str(path.parent))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def hints(function: Callable[..., Any]) -> dict[str, Any]:
    """The annotations of a function's parameters, without those that cannot be resolved."""
    target = inspect.unwrap(function)
    try:
        return typing.get_type_hints(target, include_extras=True)
    except Exception:  # a name that exists for type checkers only: user code, so any error may occur
        raw = getattr(target, "__annotations__", {})
        found = {name: _hint(target, hint) for name, hint in raw.items()}
        return {name: hint for name, hint in found.items() if hint is not _UNRESOLVED}


_UNRESOLVED = object()


def _hint(function: Callable[..., Any], hint: Any) -> Any:
    """One annotation, resolved alone: another one that cannot be resolved must not affect it."""
    if isinstance(hint, str) and hint.rpartition(".")[2] == "TaskContext":
        return TaskContext
    alone = typing.cast(Any, type("alone", (), {"__annotations__": {"it": hint}}))
    try:
        return typing.get_type_hints(alone, getattr(function, "__globals__", {}), {}, include_extras=True)[
            "it"
        ]
    except Exception:  # as above
        return _UNRESOLVED


def takes_everything(parameters: Mapping[str, inspect.Parameter], annotations: Mapping[str, Any]) -> bool:
    """Whether the function is of the form `def f(params: dict)`: one mapping that receives all parameters."""
    names = [name for name in parameters if annotations.get(name) is not TaskContext]
    if names != ["params"] or parameters["params"].kind is inspect.Parameter.VAR_KEYWORD:
        return False
    hint = annotations.get("params", dict)
    return hint is Any or (typing.get_origin(hint) or hint) in (dict, Mapping, MutableMapping)


def describe(name: str, function: Callable[..., Any], origin: Origin) -> Workflow:
    """A registered function as data."""
    parameters = inspect.signature(function).parameters
    annotations = hints(function)
    everything = takes_everything(parameters, annotations)
    rest = everything or any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    named = [] if everything else [
        p for p in parameters.values()
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and annotations.get(p.name) is not TaskContext
    ]  # fmt: skip
    return Workflow(
        name=name,
        doc=inspect.getdoc(function) or "",
        parameters=tuple(
            Parameter(
                name=p.name,
                annotation=_annotation(p),
                default=None if p.default is p.empty else repr(p.default),
                required=p.default is p.empty,
            )
            for p in named
        ),
        takes_rest=rest,
        origin=origin,
        home=_home(function),
    )


def _annotation(parameter: inspect.Parameter) -> str:
    if parameter.annotation is parameter.empty:
        return ""
    written = parameter.annotation
    return (
        written
        if isinstance(written, str)
        else inspect.formatannotation(written, getattr(written, "__module__", None))
    )


def pack(workflow: Workflow) -> dict[str, Json]:
    """A workflow as JSON data, to be sent from a worker to dagrun."""
    data: dict[str, Json] = msgspec.to_builtins(workflow)
    return data


def unpack(data: Mapping[str, Json]) -> Workflow:
    """The inverse of `pack`."""
    parameters = tuple(Parameter(**parameter) for parameter in data["parameters"])
    return Workflow(**{**data, "origin": Origin(**data["origin"]), "parameters": parameters})
