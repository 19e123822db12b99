"""`parallel_with` compared with the dependencies."""

from __future__ import annotations

import pytest

from tests.unit.harness import reported, shown

WRONG: dict[str, tuple[str, str]] = {
    "nobody": (
        "jobs:\n  build: {run: x, parallel_with: [tst]}\n  test: {run: x}",
        """
        dag.yaml:2:35: error: 'build' cannot run in parallel with 'tst', which does not exist [not-parallel]
            2 |   build: {run: x, parallel_with: [tst]}
              |                                   ^
          help: did you mean 'test'?
        """,
    ),
    "itself": (
        "jobs:\n  a: {run: x, parallel_with: [a]}",
        """
        dag.yaml:2:31: error: 'a' cannot run in parallel with itself [not-parallel]
            2 |   a: {run: x, parallel_with: [a]}
              |                               ^
          help: remove the entry
        """,
    ),
    "what it waits for": (
        "jobs:\n  a: {run: x}\n  b: {run: x, requires: [a]}\n  c: {run: x, after: [b], parallel_with: [a]}",
        """
        dag.yaml:4:43: error: 'c' cannot run in parallel with 'a', which it waits for [not-parallel]
            4 |   c: {run: x, after: [b], parallel_with: [a]}
              |                                           ^
          help: remove the entry, or the dependency between the two
        """,
    ),
    "what waits for it": (
        "jobs:\n  a: {run: x, parallel_with: [c]}\n  b: {run: x, requires: [a]}\n  c: {run: x, requires: [b]}",
        """
        dag.yaml:2:31: error: 'a' cannot run in parallel with 'c', which waits for it [not-parallel]
            2 |   a: {run: x, parallel_with: [c]}
              |                               ^
          help: remove the entry, or the dependency between the two
        """,
    ),
    "two groups in two orders": (
        "jobs:\n  a: {run: x, parallel_with: [b]}\n  b: {run: x, requires: [c]}\n  c: {run: x, parallel_with: [d]}\n  d: {run: x, requires: [a]}",
        """
        dag.yaml:2:31: error: 'a' cannot run in parallel with 'b' if all other entries of 'parallel_with' apply [not-parallel]
            2 |   a: {run: x, parallel_with: [b]}
              |                               ^
        """,
    ),
    "a group through a third": (
        "jobs:\n  a: {run: x, parallel_with: [b]}\n  b: {run: x, parallel_with: [c]}\n  c: {run: x, requires: [a]}",
        """
        dag.yaml:2:31: error: 'a' cannot run in parallel with 'b' if all other entries of 'parallel_with' apply [not-parallel]
            2 |   a: {run: x, parallel_with: [b]}
              |                               ^
        """,
    ),
}


@pytest.mark.parametrize(("document", "expected"), WRONG.values(), ids=WRONG)
def test_an_entry_that_cannot_apply_is_shown_at_its_place(document: str, expected: str) -> None:
    assert reported(document) == shown(expected)


def test_parallel_groups_can_follow_each_other() -> None:
    assert (
        reported(
            """
        jobs:
          a: {run: x, parallel_with: [b]}
          b: {run: x}
          c: {run: x, requires: [a], parallel_with: [d]}
          d: {run: x, requires: [b]}
        """
        )
        == ""
    )


def test_a_cycle_is_reported_only_as_a_cycle() -> None:
    found = reported("jobs: {a: {run: x, requires: [b], parallel_with: [b]}, b: {run: x, requires: [a]}}")
    assert (found.count("[cycle]"), found.count("[not-parallel]")) == (1, 0)


def test_many_entries_cost_little() -> None:
    """Each pair looked at by itself would take minutes."""
    jobs = [f"  j{i}: {{run: x, parallel_with: [j{i + 1}]}}" for i in range(2_000)]
    assert reported("\n".join(["jobs:", *jobs, "  j2000: {run: x}"])) == ""
