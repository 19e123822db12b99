"""The ids that a task can be named by where others depend on it: its own, and those of its variants."""

from __future__ import annotations

from collections.abc import Sequence

from dagrun.core.model import Task
from dagrun.core.variants import variant_id, variants


def variant_ids(tasks: Sequence[Task]) -> dict[str, int]:
    """The number of each variant's task. A `for_each` has none before it runs."""
    return {
        variant_id(task.id, key): i
        for i, task in enumerate(tasks)
        if task.matrix is not None
        for key in variants(task.matrix)
    }
