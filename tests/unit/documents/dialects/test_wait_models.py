"""The keys `approval` and `wait`: every mistake with its place, all at once."""

from __future__ import annotations

import pytest

from tests.unit.harness import read, reported, shown


def problems(line: str) -> list[str]:
    """The messages of a task with this line."""
    lines = reported(f"tasks:\n  - id: a\n    {line}\n").splitlines()
    return [each.partition("error: ")[2] for each in lines if "error: " in each]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("approval: {required_role: Boss}", ["'required_role' must be 'Viewer', 'Operator' or 'Admin' [invalid-value]"]),
        ("approval: {prompt: ''}", ["'prompt' must not be empty [invalid-value]"]),
        ("approval: yes", ["'approval' must be a mapping [invalid-value]"]),
        ("approval: {expires: 0}", ["'expires' must be more than 0 seconds [invalid-value]"]),
        ("approval: {}\n    timeout: 5", ["an approval has no 'timeout' [misplaced-key]"]),
        ("approval: {inputs: {n: {type: integer, default: x}}}", ["the default of input 'n' must be of type integer, not string 'x' [invalid-value]"]),
        ("approval: {inputs: {n: {type: int}}}", ["'type' must be 'string', 'integer', 'number', 'boolean', 'list' or 'object' [invalid-value]"]),
        ("approval: {inputs: {n: {default: '${{ run.id }}'}}}", ["the default of the input 'n' must not contain ${{ }}, which is not evaluated here [invalid-value]"]),
        ("approval: {inputs: {a b: 1}}", ["'a b' is not a valid name: letters, digits, '_', '-' and '.', starting with a letter or digit, at most 128 characters [invalid-value]"]),
        ("wait: {}", ["'wait' does not say what ends it [missing-key]"]),
        ("wait: 5", ["'wait' must be a mapping [invalid-value]"]),
        ("wait: {seconds: 5, signal: go}", ["a wait has one end, but this one has 'seconds' and 'signal' [two-actions]"]),
        ("wait: {seconds: soon}", ["'seconds': not a duration; write a number of seconds, or text such as '90s', '10m' or '1h30m' [invalid-value]"]),
        ("wait: {seconds: 20, timeout: 10}", ["a wait of 20s with a timeout of 10s always fails [contradiction]"]),
        ("wait: {seconds: 1h}\n    timeout: 10m", ["a wait of 3600s with a timeout of 600s always fails [contradiction]"]),
        ("wait: {seconds: 5, settle: 1}", ["'settle' needs 'file' [misplaced-key]"]),
        ("wait: {seconds: 5, timezone: UTC}", ["'timezone' needs 'until' [misplaced-key]"]),
        ("wait: {until: later}", ["'later' is no moment; write for example 2026-01-31T09:00:00Z, or a time of day: '09:30' [invalid-value]"]),
        ("wait: {until: 09:30, timezone: Mars}", ["unknown time zone 'Mars'; write for example 'Europe/Berlin' [invalid-value]"]),
        ("wait: {until: 2020-01-31T09:00:00Z}", []),
        ("wait: {signal: a b}", ["'a b' is not a valid name of a signal: letters, digits, '_', '-' and '.', starting with a letter or digit, at most 128 characters [invalid-value]"]),
        ("wait: {signal: go, timeout: 5}\n    timeout: 6", ["'timeout' and 'wait.timeout' mean the same; keep one [two-spellings]"]),
        ("wait: {file: '${{ params.gone }}'}", ["undeclared parameter 'gone' [invalid-expression]"]),
        ("approval: {prompt: '${{ secrets.X }}'}", ["'secrets' can be read only in 'env' [invalid-expression]"]),
        ("wait: {signal: go}\n    run: x", ["a task has one action, but this one has 'run' and 'wait' [two-actions]"]),
    ],
)  # fmt: skip
def test_a_mistake_has_one_clear_sentence(line: str, expected: list[str]) -> None:
    assert problems(line) == expected


def test_all_mistakes_are_reported_at_once_each_at_its_place() -> None:
    assert reported("tasks: [{id: a, wait: {seconds: 5, settle: 1, timezone: UTC}}]") == shown(
        """
        dag.yaml:1:36: error: 'settle' needs 'file' [misplaced-key]
            1 | tasks: [{id: a, wait: {seconds: 5, settle: 1, timezone: UTC}}]
              |                                    ^
        dag.yaml:1:47: error: 'timezone' needs 'until' [misplaced-key]
            1 | tasks: [{id: a, wait: {seconds: 5, settle: 1, timezone: UTC}}]
              |                                               ^
        """
    )


def test_a_time_of_day_and_a_date_need_no_quotes() -> None:
    dag = read("tasks: [{id: a, wait: {until: 09:30}}, {id: b, wait: {until: 2126-01-31T09:00:00Z}}]")
    assert [each.action.until for each in dag.tasks] == ["09:30", "2126-01-31T09:00:00Z"]  # type: ignore[attr-defined]


def test_a_moment_that_has_passed_is_a_warning() -> None:
    assert reported("tasks: [{id: a, wait: {until: '2020-01-31 09:00', timezone: Europe/Berlin}}]") == shown(
        """
        dag.yaml:1:31: warning: this moment has passed: the task will not wait [past-moment]
            1 | tasks: [{id: a, wait: {until: '2020-01-31 09:00', timezone: Europe/Berlin}}]
              |                               ^
          help: write a later one
        """
    )
