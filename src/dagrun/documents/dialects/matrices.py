"""The matrix of a document: its values as text, and the errors of their combinations."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from dagrun.core.model import Matrix, MatrixValue
from dagrun.core.variants import as_text, key, namesakes, variable, variants
from dagrun.core.variants import too_large as too_large
from dagrun.documents.dialects.dialect import Path
from dagrun.documents.yaml import Finding, Source
from dagrun.documents.yaml.values import brief
from dagrun.errors import did_you_mean

#: How many combinations all matrices of a document may have.
MAX_IN_DOCUMENT: Final = 250_000
#: How many characters the names of all variants of a matrix may have together.
MAX_TEXT: Final = 50_000_000
#: How many values of an axis, or names of axes, a message lists.
FEW_VALUES: Final = 8

#: The path of an axis, of `exclude` or of `include`, which may be inside or next to the matrix; for the empty word that of
#: the matrix itself.
Where = Callable[[str], Path]
Entry = Mapping[str, MatrixValue]
_NO_VALUE = "write at least one value, such as {os: alpine}, or remove it"


def read(
    axes: Mapping[str, Sequence[Any]],
    exclude: Sequence[Mapping[str, Any]],
    include: Sequence[Mapping[str, Any]],
    source: Source,
    where: Where,
) -> Matrix:
    """The matrix with its values as written: `3.10` is not a number here. `true` and `false` stay booleans."""

    def text(value: Any, path: Path) -> MatrixValue:
        return value if isinstance(value, str | bool) else source.written(path) or str(value)

    def entries(word: str, written: Sequence[Mapping[str, Any]]) -> tuple[Entry, ...]:
        return tuple(
            {name: text(value, (*where(word), i, name)) for name, value in entry.items()}
            for i, entry in enumerate(written)
        )

    return Matrix(
        axes={
            name: tuple(text(value, (*where(name), i)) for i, value in enumerate(values))
            for name, values in axes.items()
        },
        exclude=entries("exclude", exclude),
        include=entries("include", include),
    )


def problems(matrix: Matrix, source: Source, where: Where) -> Iterator[Finding]:
    """The errors that leave the variants of a matrix undefined."""
    found = list(_with_axes(matrix, source, where))
    if not found and not variants(matrix):
        message = "'exclude' removes all combinations of the matrix"
        nothing = Finding(source.place(where("exclude"), key=True), message, "empty-matrix")
        found = list(in_vain(matrix, source, where)) or [nothing]
    if not found and (name := next(iter(namesakes(matrix)), None)) is not None:
        message = f"two variants would have the name '{brief(name)}'"
        hint = "write their values without ',', '=' and control characters"
        found.append(Finding(source.place(where(""), key=True), message, "duplicate-variant", hint))
    yield from found


def _with_axes(matrix: Matrix, source: Source, where: Where) -> Iterator[Finding]:
    if not matrix.axes and not matrix.include:
        yield Finding(
            source.place(where(""), key=True),
            "the matrix is empty",
            "empty-matrix",
            "give it an axis: `os: [ubuntu, alpine]`",
        )
    if message := too_large(matrix) or _too_much_text(matrix):
        yield Finding(source.place(where(""), key=True), message, "too-many-variants")
    yield from _collisions(matrix, source, where)
    for name, values in matrix.axes.items():
        seen: set[str] = set()
        for i, value in enumerate(values):
            if (text := key({name: value})) in seen:
                message = f"the axis '{name}' has this value twice"
                yield Finding(source.place((*where(name), i)), message, "duplicate-variant")
            seen.add(text)


def _too_much_text(matrix: Matrix) -> str:
    """Why the names of all variants would take too much memory; empty if they do not."""
    combinations = math.prod(map(len, matrix.axes.values())) if matrix.axes else 0
    size = sum(
        combinations // len(values) * sum(_length(name, value) for value in values)
        for name, values in matrix.axes.items()
    )
    added: dict[str, int] = {}
    longest: dict[str, int] = {}
    for entry in matrix.include:
        # The number of combinations that an entry is merged into. A later entry replaces the values of an earlier one.
        merged = combinations // math.prod(len(matrix.axes[name]) for name in entry if name in matrix.axes)
        for name, value in entry.items():
            added[name] = added.get(name, 0) + merged * _length(name, value)
            longest[name] = max(longest.get(name, 0), _length(name, value))
    size += sum(min(added[name], combinations * longest[name]) for name in added)
    if size <= MAX_TEXT:
        return ""
    return (
        f"the names of all variants would have {size:,} characters together; at most {MAX_TEXT:,} are allowed"
    )


def _length(name: str, value: MatrixValue) -> int:
    """The length of `name=value,` in the name of a variant."""
    return len(name) + len(str(value)) + 2


def _collisions(matrix: Matrix, source: Source, where: Where) -> Iterator[Finding]:
    """Different keys, of axes or of `include`, that would set the same environment variable."""
    keys = [(name, where(name)) for name in matrix.axes]
    keys += [(name, (*where("include"), i, name)) for i, entry in enumerate(matrix.include) for name in entry]
    owners: dict[str, str] = {}
    seen_names: set[str] = set()
    for name, path in keys:
        owner = owners.setdefault(variable(name), name)
        if owner != name and name not in seen_names:
            seen_names.add(name)
            message = f"'{owner}' and '{name}' would both set ${variable(name)}"
            yield Finding(source.place(path, key=True), message, "variable-collision", "rename one of them")


def in_vain(matrix: Matrix, source: Source, where: Where) -> Iterator[Finding]:
    """Entries of `exclude` and `include` without an effect, in a matrix with correct axes."""
    axes = {name: set(values) for name, values in matrix.axes.items()}
    for i, entry in enumerate(matrix.exclude):
        path = (*where("exclude"), i)
        unknown = [name for name in entry if name not in matrix.axes]
        for name in unknown:
            yield Finding(
                source.place((*path, name), key=True), f"the matrix has no axis '{name}'", "unknown-axis",
                did_you_mean(name, matrix.axes) or f"it has: {', '.join(islice(matrix.axes, FEW_VALUES)) or 'none'}",
            )  # fmt: skip
        if not entry:
            yield Finding(source.place(path), "the entry is empty", "empty-entry", _NO_VALUE)
        elif not unknown and not all(value in axes[name] for name, value in entry.items()):
            message = f"no combination of the matrix has {brief(key(entry))}"
            yield Finding(source.place(path), message, "no-such-variant", _values(entry, matrix))
    left = variants(Matrix(axes=matrix.axes, exclude=matrix.exclude)).values()
    projected: dict[tuple[str, ...], set[tuple[MatrixValue, ...]]] = {}
    own: set[frozenset[tuple[str, MatrixValue]]] = set()
    for i, entry in enumerate(matrix.include):
        place = source.place((*where("include"), i))
        names = tuple(name for name in matrix.axes if name in entry)
        if names not in projected:
            projected[names] = {tuple(values[name] for name in names) for values in left}
        fitting = tuple(entry[name] for name in names) in projected[names]
        whole = frozenset(entry.items())
        if not entry:
            yield Finding(place, "the entry is empty", "empty-entry", _NO_VALUE)
        elif whole in own or (fitting and len(names) == len(entry)):
            message = f"the entry adds nothing: {brief(key(entry))} exists already"
            yield Finding(place, message, "no-such-variant", "remove it")
        elif not fitting:
            own.add(whole)


def _values(entry: Entry, matrix: Matrix) -> str:
    """The existing values of the axis for which the entry has another one."""
    axis = next(name for name, value in entry.items() if value not in matrix.axes[name])
    texts = list(map(as_text, matrix.axes[axis]))
    near = did_you_mean(as_text(entry[axis]), texts) if len(texts) > FEW_VALUES else ""
    return near or f"'{axis}' has: {', '.join(map(brief, texts[:FEW_VALUES]))}"
