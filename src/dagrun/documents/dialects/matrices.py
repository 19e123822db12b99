"""A matrix as it was written: its values as text, and what is wrong with their combinations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from dagrun.core.model import Matrix, MatrixValue
from dagrun.core.variants import as_text, key, namesakes, variable, variants
from dagrun.core.variants import too_large as too_large
from dagrun.documents.dialects.dialect import Path
from dagrun.documents.yaml import Finding, Source
from dagrun.errors import did_you_mean

#: How many combinations all matrices of a document may have.
MOST_IN_DOCUMENT: Final = 250_000
#: How many values of an axis are listed.
FEW_VALUES: Final = 8

#: The place of an axis, of `exclude` or of `include`, whether it stands in the matrix or beside it; that of the
#: matrix itself for the empty word.
Where = Callable[[str], Path]
Entry = Mapping[str, MatrixValue]
_NO_VALUE = "name one, such as {os: alpine}, or leave it out"


def read(
    axes: Mapping[str, Sequence[Any]],
    exclude: Sequence[Mapping[str, Any]],
    include: Sequence[Mapping[str, Any]],
    source: Source,
    where: Where,
) -> Matrix:
    """The matrix with the texts that were written: `3.10` is no number here. `true` and `false` stay what they are."""

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
    """Why nobody can say which variants a matrix has."""
    found = list(_with_axes(matrix, source, where))
    if not found and not variants(matrix):
        message = "nothing is left of the matrix after 'exclude'"
        nothing = Finding(source.place(where("exclude"), key=True), message, "empty-matrix")
        found = list(in_vain(matrix, source, where)) or [nothing]
    if not found and (name := next(iter(namesakes(matrix)), None)) is not None:
        message = f"two variants would both be called '{name}'"
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
    if message := too_large(matrix):
        yield Finding(source.place(where(""), key=True), message, "too-many-variants")
    yield from _collisions(matrix, source, where)
    for name, values in matrix.axes.items():
        seen: set[str] = set()
        for i, value in enumerate(values):
            if (text := key({name: value})) in seen:
                message = f"the axis '{name}' has this value twice"
                yield Finding(source.place((*where(name), i)), message, "duplicate-variant")
            seen.add(text)


def _collisions(matrix: Matrix, source: Source, where: Where) -> Iterator[Finding]:
    """Different keys, of axes or of `include`, that would be the same environment variable."""
    keys = [(name, where(name)) for name in matrix.axes]
    keys += [(name, (*where("include"), i, name)) for i, entry in enumerate(matrix.include) for name in entry]
    owners: dict[str, str] = {}
    told: set[str] = set()
    for name, path in keys:
        owner = owners.setdefault(variable(name), name)
        if owner != name and name not in told:
            told.add(name)
            message = f"'{owner}' and '{name}' would both be ${variable(name)}"
            yield Finding(source.place(path, key=True), message, "variable-collision", "rename one of them")


def in_vain(matrix: Matrix, source: Source, where: Where) -> Iterator[Finding]:
    """What `exclude` and `include` of a matrix with good axes say in vain."""
    axes = {name: set(values) for name, values in matrix.axes.items()}
    for i, entry in enumerate(matrix.exclude):
        path = (*where("exclude"), i)
        unknown = [name for name in entry if name not in matrix.axes]
        for name in unknown:
            yield Finding(
                source.place((*path, name), key=True), f"the matrix has no axis '{name}'", "unknown-axis",
                did_you_mean(name, matrix.axes) or f"it has: {', '.join(matrix.axes) or 'none'}",
            )  # fmt: skip
        if not entry:
            yield Finding(source.place(path), "the entry names no value", "empty-entry", _NO_VALUE)
        elif not unknown and not all(value in axes[name] for name, value in entry.items()):
            message = f"no combination of the matrix has {key(entry)}"
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
            yield Finding(place, "the entry names no value", "empty-entry", _NO_VALUE)
        elif whole in own or (fitting and len(names) == len(entry)):
            message = f"the entry adds nothing: {key(entry)} is there already"
            yield Finding(place, message, "no-such-variant", "leave it out")
        elif not fitting:
            own.add(whole)


def _values(entry: Entry, matrix: Matrix) -> str:
    """The values that were to choose from, where the entry names another one."""
    axis = next(name for name, value in entry.items() if value not in matrix.axes[name])
    texts = list(map(as_text, matrix.axes[axis]))
    near = did_you_mean(as_text(entry[axis]), texts) if len(texts) > FEW_VALUES else ""
    return near or f"'{axis}' has: {', '.join(texts[:FEW_VALUES])}"
