"""The error tree: who owns which sentence and which exit code."""

from __future__ import annotations

import errno
import os

import pytest

from dagrun import errors
from dagrun.errors import DagrunError, NotFoundError, did_you_mean, nearest


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageError, 2),
        (errors.RefusedError, 2),
        (errors.RecordError, 1),
        (errors.EnvironmentFailure, 1),
    ],
)
def test_each_error_has_its_exit_code(error: type[DagrunError], code: int) -> None:
    assert error("no", hint="try again").exit_code == code


def test_an_error_carries_its_message_and_a_hint() -> None:
    error = errors.RefusedError("no", hint="try again")
    assert (str(error), error.message, error.hint) == ("no", "no", "try again")


def test_a_name_that_does_not_exist_suggests_the_nearest_one() -> None:
    error = NotFoundError("DAG", "wekly", ["weekly", "daily"], hint="look in configs/dags")
    assert (str(error), error.hint, error.exit_code) == ("DAG 'wekly' not found", "did you mean 'weekly'?", 2)


def test_without_a_similar_name_the_hint_is_kept() -> None:
    assert (
        NotFoundError("run", "xyz", ["weekly"], hint="`dagrun runs` lists them").hint
        == "`dagrun runs` lists them"
    )


def test_what_is_near_and_what_is_not() -> None:
    assert nearest("extrat", ["load", "extract"]) == "extract"
    assert nearest("q", ["load", "extract"]) is None
    assert nearest("int", ["string", "integer"]) == "integer"
    assert nearest("resources", ["retries", "env"]) is None
    assert nearest("wee", ["weekly_report_pack", "weekly_operations"]) is None
    assert did_you_mean("q", ["load"]) == ""


def test_of_two_equally_near_names_the_answer_is_always_the_same() -> None:
    assert nearest("task", ["task2", "task1"]) == nearest("task", ["task1", "task2"])


def test_the_docstring_draws_every_class_of_the_tree() -> None:
    drawn = errors.__doc__ or ""
    classes = [
        value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)
    ]
    assert all(cls.__name__ in drawn for cls in classes)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "a/b"), "a/b: No space left on device"),
        (OSError(errno.EXDEV, os.strerror(errno.EXDEV), "a", None, "b"), "a -> b: Invalid cross-device link"),
        (OSError(errno.EMFILE, os.strerror(errno.EMFILE)), "Too many open files"),
        (OSError("odd"), "odd"),
        (MemoryError(), "there is not enough memory"),
        (RecursionError(), "something is nested too deep"),
        (UnicodeEncodeError("ascii", "ü", 0, 1, "no"), "a text cannot be read or written: "),
        (ValueError("embedded null byte"), "a name or a path contains a null character"),
    ],
)
def test_what_the_system_refuses_is_worded_for_people(error: Exception, message: str) -> None:
    found = errors.of_the_machine(error)
    assert found is not None
    assert found.message.startswith(message)
    assert found.hint
    assert found.exit_code == 2


def test_an_unexpected_error_is_not_reported_as_one_of_the_system() -> None:
    assert errors.of_the_machine(KeyError("x")) is None
    assert errors.of_the_machine(ValueError("x")) is None


def test_a_byte_of_a_name_that_is_not_utf8_is_shown_as_that_byte() -> None:
    assert errors.one_line("a\udcff\x1b\n") == r"a\xff\x1b\n"
