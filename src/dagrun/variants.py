"""Variants: which a matrix has, which items of a list run, and what each is called."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import product
from typing import Final

from dagrun.errors import did_you_mean, one_line
from dagrun.model import Matrix, MatrixValue, Task

#: How many variants one task may have, of a matrix or of a list.
MOST_VARIANTS: Final = 100_000

_Entries = tuple[tuple[tuple[str, MatrixValue], ...], ...]

#: How many variants are named where one is not found.
MOST_TOLD: Final = 6


def variants(matrix: Matrix) -> Mapping[str, Mapping[str, MatrixValue]]:
    """By key the product of the axes in the file's order, less `exclude`, with `include` as GitHub reads it; each once.

    An entry of `include` is merged into every combination whose axes it does not contradict. Where there is none it is
    a variant of its own. Raises ValueError for more than `MOST_VARIANTS`, before they cost memory.
    """
    return _expanded(matrix)[0]


def namesakes(matrix: Matrix) -> Sequence[str]:
    """The keys that belong to several variants, of which all but the first would be lost."""
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
    """A matrix is expanded once, though many ask for its variants while it is checked and linked."""
    matrix = Matrix(axes=dict(axes), exclude=tuple(map(dict, exclude)), include=tuple(map(dict, include)))
    found: dict[str, Mapping[str, MatrixValue]] = {}
    alike = [name for each in _combinations(matrix) if found.setdefault(name := key(each), each) != each]
    return found, alike


def _combinations(matrix: Matrix) -> list[dict[str, MatrixValue]]:
    """Every variant, some of them perhaps more than once."""
    size = math.prod(map(len, matrix.axes.values()))
    if size > MOST_VARIANTS:
        raise ValueError(f"the matrix has {size:,} variants; at most {MOST_VARIANTS:,} are allowed")
    combinations = product(*matrix.axes.values()) if matrix.axes else ()
    originals = [dict(zip(matrix.axes, values, strict=True)) for values in combinations]
    originals = [values for values in originals if not any(_holds(each, values) for each in matrix.exclude)]
    found: list[dict[str, MatrixValue]] = [dict(values) for values in originals]
    for entry in matrix.include:
        axes = {name: value for name, value in entry.items() if name in matrix.axes}
        fitting = [i for i, values in enumerate(originals) if _holds(axes, values)]
        for i in fitting:
            found[i].update(entry)
        if not fitting:
            found.append(dict(entry))
    return found


def _holds(part: Mapping[str, MatrixValue], values: Mapping[str, MatrixValue]) -> bool:
    """Whether the values are as `part` says."""
    return all(name in values and values[name] == value for name, value in part.items())


def key(values: Mapping[str, MatrixValue]) -> str:
    """What tells a variant from the others of its task: `os=ubuntu,python=3.9`, by name, in one line."""
    return one_line(",".join(f"{name}={as_text(values[name])}" for name in sorted(values)))


def as_text(value: MatrixValue) -> str:
    """A value as it is written."""
    return value if isinstance(value, str) else str(value).lower()


def variable(name: str) -> str:
    """The environment variable that carries the matrix value `name`: `python-version` is MATRIX_PYTHON_VERSION."""
    return "MATRIX_" + re.sub(r"[^A-Z0-9_]", "_", name.upper())


def variant_id(task_id: str, key: str) -> str:
    """A variant's own id: `test[os=ubuntu,python=3.9]`, `resize[0]`."""
    return f"{task_id}[{key}]"


def item_numbers(task: Task, count: int) -> Sequence[int]:
    """Which items of a for_each's list of that length are to run."""
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
    """Which of a task's variants was meant by a name that none of them has; where that cannot be told, what there is."""
    base, _, rest = name.partition("[")
    parts = sorted(part.strip() for part in rest.rstrip("]").split(","))
    if (in_order := variant_id(base, ",".join(parts))) in siblings:
        return f"did you mean '{in_order}'?"
    some = [
        each for each in siblings if all(parts) and set(parts) <= set(each[len(base) + 1 : -1].split(","))
    ]
    if not some and (near := did_you_mean(name, siblings)):
        return near
    return there_is(some or siblings)


def there_is(names: Sequence[str]) -> str:
    """Some variants by name, of many the first; in quotes, for the sake of a shell, and of YAML's `[a[os=x]]`."""
    told = ", ".join(f"'{name}'" for name in names[:MOST_TOLD])
    return f"there is {told}{f' and {len(names) - MOST_TOLD} more' if len(names) > MOST_TOLD else ''}"
