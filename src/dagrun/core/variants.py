"""Variants: those of a matrix, those of a list, and their ids."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import product
from typing import Final

import msgspec

from dagrun.core.model import Matrix, MatrixValue, Task
from dagrun.errors import MAX_COMPARED, did_you_mean, one_line
from dagrun.value import field

#: How many variants one task may have, of a matrix or of a list.
MAX_VARIANTS: Final = 100_000
#: How many values all variants of one matrix may have together, and how many lookups its entries may cost.
MAX_VALUES: Final = 5_000_000

_Entries = tuple[tuple[tuple[str, MatrixValue], ...], ...]

#: How many variants a message names when one is not found.
MAX_NAMED: Final = 6


def variants(matrix: Matrix) -> Mapping[str, Mapping[str, MatrixValue]]:
    """The variants by key: the product of the axes in file order, without `exclude`, with `include` as on GitHub; each once.

    An entry of `include` is merged into every combination whose axes it does not contradict. If there is none, it is a
    variant of its own. Raises ValueError for a matrix that is `too_large`, before it costs memory.
    """
    return _expanded(matrix)[0]


def namesakes(matrix: Matrix) -> Sequence[str]:
    """The keys that several variants share; all but the first of these variants would be lost."""
    return _expanded(matrix)[1]


_Expanded = tuple[Mapping[str, Mapping[str, MatrixValue]], Sequence[str]]


def _expanded(matrix: Matrix) -> _Expanded:
    return _remembered(
        tuple(matrix.axes.items()),
        *(tuple(tuple(entry.items()) for entry in entries) for entries in (matrix.exclude, matrix.include)),
    )


@lru_cache(maxsize=64)
def _remembered(
    axes: tuple[tuple[str, tuple[MatrixValue, ...]], ...], exclude: _Entries, include: _Entries
) -> _Expanded:
    """Expands a matrix once, although checks and the graph need its variants many times."""
    matrix = Matrix(axes=dict(axes), exclude=tuple(map(dict, exclude)), include=tuple(map(dict, include)))
    found: dict[str, Mapping[str, MatrixValue]] = {}
    alike = [name for each in _combinations(matrix) if found.setdefault(name := key(each), each) != each]
    return found, alike


def _combinations(matrix: Matrix) -> list[dict[str, MatrixValue]]:
    """All variants, some of them perhaps more than once."""
    if problem := too_large(matrix):
        raise ValueError(problem)
    excluded = Selectors(matrix.axes, [each for each in matrix.exclude if each.keys() <= matrix.axes.keys()])
    included = Selectors(matrix.axes, matrix.include)
    used: set[int] = set()
    found: list[dict[str, MatrixValue]] = []
    for each in product(*matrix.axes.values()) if matrix.axes else ():
        values = dict(zip(matrix.axes, each, strict=True))
        if not excluded.fitting(values):
            groups = included.fitting(values)
            used.update(group.first for group in groups)
            found.append(values | merged(groups))
    alone = (group for group in included.groups if group.first not in used)
    own = sorted(number for group in alone for number in group.numbers)
    return [*found, *(dict(matrix.include[number]) for number in own)]


def too_large(matrix: Matrix) -> str:
    """Why the matrix is too large to expand; empty when it is not. Costs O(size of its text)."""
    size = math.prod(map(len, matrix.axes.values())) if matrix.axes else 0
    if size > MAX_VARIANTS:
        return f"the matrix has {size:,} combinations; at most {MAX_VARIANTS:,} are allowed"
    names = {*matrix.axes, *(name for entry in matrix.include for name in entry)}
    sets = {frozenset(entry) for entry in (*matrix.exclude, *matrix.include)}
    if size * (len(names) + len(sets)) > MAX_VALUES:
        return (
            f"{size:,} combinations with {len(names):,} keys, and {len(sets):,} different sets of keys in"
            f" 'exclude' and 'include', are more than dagrun expands ({MAX_VALUES:,})"
        )
    return ""


class Group(msgspec.Struct):
    """The entries of `include` or `exclude` that name the same values of the same axes."""

    numbers: list[int] = field(default_factory=list)
    #: The values that they set, each with the number of the last entry that sets it.
    sets: dict[str, tuple[int, MatrixValue]] = field(default_factory=dict)

    @property
    def first(self) -> int:
        """The number of its first entry, which no other group has."""
        return self.numbers[0]


class Selectors:
    """Entries of `exclude` or `include`, found by the values of a combination that they name.

    Finding those that fit a combination costs one lookup for each set of axes that the entries name, independent of the
    number of entries.
    """

    def __init__(self, axes: Collection[str], entries: Sequence[Mapping[str, MatrixValue]]) -> None:
        self._by_axes: dict[tuple[str, ...], dict[tuple[MatrixValue, ...], Group]] = {}
        for number, entry in enumerate(entries):
            names = tuple(name for name in axes if name in entry)
            groups = self._by_axes.setdefault(names, {})
            group = groups.setdefault(tuple(entry[name] for name in names), Group())
            group.numbers.append(number)
            group.sets.update((name, (number, value)) for name, value in entry.items())

    def fitting(self, values: Mapping[str, MatrixValue]) -> list[Group]:
        """The entries that agree with a combination."""
        return [
            group
            for names, groups in self._by_axes.items()
            if (group := groups.get(tuple(values[name] for name in names)))
        ]

    @property
    def groups(self) -> Iterator[Group]:
        """All entries."""
        return (group for groups in self._by_axes.values() for group in groups.values())


def merged(groups: Sequence[Group]) -> dict[str, MatrixValue]:
    """The values that several groups of entries set together: for each name that of the last entry in the file."""
    last: dict[str, tuple[int, MatrixValue]] = {}
    for group in groups:
        for name, (number, value) in group.sets.items():
            if name not in last or number > last[name][0]:
                last[name] = (number, value)
    return {name: value for name, (_, value) in last.items()}


def key(values: Mapping[str, MatrixValue]) -> str:
    """The key of a variant among those of its task: `os=ubuntu,python=3.9`, sorted by name, in one line."""
    return one_line(",".join(f"{name}={as_text(values[name])}" for name in sorted(values)))


def as_text(value: MatrixValue) -> str:
    """A value as text in YAML."""
    return value if isinstance(value, str) else str(value).lower()


def variable(name: str) -> str:
    """The environment variable of the matrix value `name`: `python-version` is MATRIX_PYTHON_VERSION."""
    return "MATRIX_" + re.sub(r"[^A-Z0-9_]", "_", name.upper())


def variant_id(task_id: str, key: str) -> str:
    """A variant's own id: `test[os=ubuntu,python=3.9]`, `resize[0]`."""
    return f"{task_id}[{key}]"


def item_numbers(task: Task, count: int) -> Sequence[int]:
    """The numbers of the items of a for_each that run, if its list has that length."""
    if task.only_items is None:
        return range(count)
    return [number for number in task.only_items if number < count]


def is_of(task_id: str, named: str) -> bool:
    """Whether it is the task of that name, or a variant of it."""
    return task_id == named or task_id.startswith(named + "[")


def base_id(task_id: str) -> str:
    """The id of the task in the document: that of a variant's group, of any other task its own."""
    return task_id.partition("[")[0]


def meant(name: str, siblings: Sequence[str]) -> str:
    """A hint for the name of a variant that does not exist: the one that was probably meant, or those that exist."""
    base, _, rest = name.partition("[")
    parts = sorted(part.strip() for part in rest.rstrip("]").split(","))
    if (in_order := variant_id(base, ",".join(parts))) in siblings:
        return f"did you mean '{in_order}'?"
    compared = siblings if len(siblings) <= MAX_COMPARED else ()
    some = [
        each for each in compared if all(parts) and set(parts) <= set(each[len(base) + 1 : -1].split(","))
    ]
    if not some and (near := did_you_mean(name, siblings)):
        return near
    return there_is(some or siblings)


def there_is(names: Sequence[str]) -> str:
    """`there is 'a[os=x]'`: variants, of many the first. The quotes are needed in a shell and in a list in YAML."""
    named = ", ".join(f"'{name}'" for name in names[:MAX_NAMED])
    return f"there is {named}{f' and {len(names) - MAX_NAMED} more' if len(names) > MAX_NAMED else ''}"


def variant_ids(tasks: Sequence[Task]) -> dict[str, int]:
    """The number of each variant's task. A `for_each` has none before it runs."""
    return {
        variant_id(task.id, key): i
        for i, task in enumerate(tasks)
        if task.matrix is not None
        for key in variants(task.matrix)
    }
