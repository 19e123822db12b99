"""What the tests of kinds share: actions that start, with values for their expressions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from dagrun.core.model import Action
from dagrun.kinds import KINDS
from dagrun.kinds.kind import PreparedBody, StartContext, Started
from dagrun.language import expressions
from dagrun.language.expressions import Expression
from dagrun.registry import Registry


def start(
    action: Action,
    evaluate: Callable[[Expression], Any] = lambda _: None,
    registry: Registry | None = None,
    now: float = 0.0,
) -> Started:
    """What starting an action gives, where expressions have the values that `evaluate` gives."""

    def render(text: str) -> str:
        parts = expressions.template(text).parts
        return "".join(part if isinstance(part, str) else str(evaluate(part.expression)) for part in parts)

    context = StartContext(
        registry or Registry(), evaluate, render, render, dict, now, lambda text: Path("/project") / text
    )
    return KINDS[action.kind].start(action, context)


def body(
    action: Action, evaluate: Callable[[Expression], Any] = lambda _: None, registry: Registry | None = None
) -> PreparedBody:
    """The same for an action that has a body."""
    started = start(action, evaluate, registry)
    assert isinstance(started, PreparedBody)
    return started
