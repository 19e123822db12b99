"""The inline executor: which function is the body of a task, and how its attempt ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dagrun.core.work import AttemptResult, Call
from dagrun.executors.inline import HANG, InlineExecutor
from tests.contract.harness import Ends, work

FAILED = AttemptResult(duration=3.0, error="as it was", error_type="Odd")


def raises(_: dict[str, Any]) -> None:
    raise ValueError("no")


def ends(executor: InlineExecutor, *tasks: str) -> dict[str, AttemptResult]:
    """How attempts of the workflow `w` end that are started at once."""

    async def story() -> dict[str, AttemptResult]:
        taken = Ends()
        for name in tasks:
            executor.start(work(Path("/nowhere"), Call(ref="w", origin={}), name), taken.of(name))
        await taken.wait(len(tasks))
        return dict(taken.all)

    return asyncio.run(story())


@pytest.mark.parametrize("name", ["t[x]", "t", "w"])
def test_a_body_is_found_by_variant_group_or_workflow(name: str) -> None:
    ended = ends(InlineExecutor({name: lambda _: {"found": name}}), "t[x]")
    assert ended["t[x]"].outputs == {"found": name}


@pytest.mark.parametrize(
    ("body", "error_type"), [(raises, "ValueError"), (lambda _: FAILED, "Odd"), (lambda _: None, None)]
)
def test_what_a_body_does_is_the_end_of_its_attempt(
    body: Callable[[Any], Any], error_type: str | None
) -> None:
    assert ends(InlineExecutor({"t": body}), "t")["t"].error_type == error_type


def test_a_task_without_a_body_succeeds() -> None:
    executor = InlineExecutor()
    assert ends(executor, "a", "b")["a"].error is None
    assert executor.started == [("a", 1), ("b", 1)]
    assert executor.most_at_once == 2


def test_a_body_that_hangs_ends_when_it_is_released() -> None:
    executor = InlineExecutor({"t": lambda _: HANG})

    async def story() -> list[tuple[str, AttemptResult]]:
        taken = Ends()
        executor.start(work(Path("/nowhere"), Call(ref="w", origin={})), taken.of("t"))
        await asyncio.sleep(0)
        assert taken.all == []
        executor.release("t")
        await taken.wait()
        return taken.all

    ((_, ended),) = asyncio.run(story())
    assert ended.error is None
