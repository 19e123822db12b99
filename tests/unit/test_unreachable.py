"""What a person reads about tasks that can never start."""

from __future__ import annotations

import pytest

from tests.unit.harness import shown, told

WRONG: dict[str, tuple[str, str]] = {
    "a condition that is false": (
        "tasks:\n  - {id: a, run: x, if: false}",
        """
        dag.yaml:2:25: error: 'a' can never start: its condition never holds [unreachable]
            2 |   - {id: a, run: x, if: false}
              |                         ^
        """,
    ),
    "a condition that is false whatever the rest is": (
        "params: {x: 1}\ntasks:\n  - {id: a, run: x, unless: params.x || true}",
        """
        dag.yaml:3:29: error: 'a' can never start: its condition never holds [unreachable]
            3 |   - {id: a, run: x, unless: params.x || true}
              |                             ^
        """,
    ),
    "a failure of nothing": (
        "tasks:\n  - {id: a, run: x, trigger: failure}",
        """
        dag.yaml:2:30: error: 'a' can never start: it runs after a failure, and nothing stands above it [unreachable]
            2 |   - {id: a, run: x, trigger: failure}
              |                              ^
        """,
    ),
    "a failure of nothing, asked for": (
        "tasks:\n  - {id: a, run: x, if: failure()}",
        """
        dag.yaml:2:25: error: 'a' can never start: it runs after a failure, and nothing stands above it [unreachable]
            2 |   - {id: a, run: x, if: failure()}
              |                         ^
        """,
    ),
    "a finaliser of nothing": (
        "jobs:\n  alert: {run: x, on_complete: failure}",
        """
        dag.yaml:2:32: error: 'alert' can never start: it runs after a failure, and nothing stands above it [unreachable]
            2 |   alert: {run: x, on_complete: failure}
              |                                ^
        """,
    ),
    "a failure of what cannot fail": (
        "steps:\n  - {name: a, dependsOn: []}\n  - {name: b, dependsOn: [a], run: x, trigger: failure}",
        """
        dag.yaml:3:48: error: 'b' can never start: it runs after a failure, and nothing above it can fail [unreachable]
            3 |   - {name: b, dependsOn: [a], run: x, trigger: failure}
              |                                                ^
        """,
    ),
    "an edge that waits for a failure of what cannot fail": (
        "jobs:\n  a: {run: x, continue_on_failure: true}\n  b: {run: x}\n  c: {run: x, requires: [b, {job: a, condition: failure}]}",
        """
        dag.yaml:4:29: error: 'c' can never start: 'a' can never count as failed [unreachable]
            4 |   c: {run: x, requires: [b, {job: a, condition: failure}]}
              |                             ^
        """,
    ),
    "a change of nothing": (
        "tasks:\n  - {id: a, run: x, only_if_changed: true}",
        """
        dag.yaml:2:38: error: 'a' can never start: it waits for a change, and nothing stands above it [unreachable]
            2 |   - {id: a, run: x, only_if_changed: true}
              |                                      ^
        """,
    ),
    "two ends that exclude each other": (
        "jobs:\n  a: {run: x}\n  b: {run: x, requires: [{job: a, condition: failure}]}\n  c: {run: x, requires: [a, b]}",
        """
        dag.yaml:4:29: error: 'c' can never start: 'a' cannot end well where 'b' is to end well [unreachable]
            4 |   c: {run: x, requires: [a, b]}
              |                             ^
        """,
    ),
    "a failure that ends the run of jobs": (
        "on_error: stop_all\njobs:\n  a: {run: x}\n  b: {run: x, requires: [a], on_complete: failure}\n  c: {run: x, requires: [b]}",
        """
        dag.yaml:5:6: warning: 'c' can never start: it needs a failure above it, which ends the run (on_error: stop_all) [unreachable]
            5 |   c: {run: x, requires: [b]}
              |      ^
          help: say `on_complete: always`, or go on after failures: `on_error: continue`
        """,
    ),
    "a failure that ends the run": (
        "tasks:\n  - {id: a, run: x}\n  - {id: b, run: x, depends_on: [a], trigger: failure}\n  - {id: c, run: x, depends_on: [b]}",
        """
        dag.yaml:4:5: warning: 'c' can never start: it needs a failure above it, which ends the run (on_error: stop_all) [unreachable]
            4 |   - {id: c, run: x, depends_on: [b]}
              |     ^
          help: say `trigger: always`, or go on after failures: `on_error: continue`
        """,
    ),
    "only the first of a chain": (
        "tasks:\n  - {id: a, run: x, if: false}\n  - {id: b, run: x, depends_on: [a]}\n  - {id: c, run: x, depends_on: [b]}",
        """
        dag.yaml:2:25: error: 'a' can never start: its condition never holds [unreachable]
            2 |   - {id: a, run: x, if: false}
              |                         ^
        """,
    ),
}


@pytest.mark.parametrize(("document", "expected"), WRONG.values(), ids=WRONG)
def test_a_task_that_can_never_start_says_why(document: str, expected: str) -> None:
    assert told(document) == shown(expected)


@pytest.mark.parametrize(
    "document",
    [
        "tasks: [{id: a, run: x}, {id: b, run: x, trigger: failure, depends_on: [a]}]",
        "tasks: [{id: a, run: x, if: env.X == 'y'}]",
        "tasks: [{id: a, run: x, only_if_changed: true, depends_on: [b]}, {id: b, run: x}]",
        "jobs: {a: {run: x}, b: {run: x, on_complete: failure}, c: {run: x, on_complete: always}}",
        "steps: [{name: a, if: env.X}, {name: b, run: x, trigger: failure}]",
    ],
)
def test_what_can_start_is_left_alone(document: str) -> None:
    assert told(document) == ""


def test_other_mistakes_come_first() -> None:
    """Where a dependency is missing nobody knows what can start."""
    assert "[unreachable]" not in told("tasks: [{id: a, run: x, if: false, depends_on: [b]}]")
