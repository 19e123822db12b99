"""What the tests of kinds share: actions that start, with values for their expressions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dagrun.core.model import Action
from dagrun.kinds import KINDS
from dagrun.kinds.kind import PreparedBody, StartContext, Started
from dagrun.language import expressions
from dagrun.language.expressions import Expression
from dagrun.registry import Registry


def start(
    action: Action, evaluate: Callable[[Expression], Any] = lambda _: None, registry: Registry | None = None
) -> PreparedBody:
    """The body that starting an action gives, where expressions have the values that `evaluate` gives."""
    started = start_any(action, evaluate, registry)
    assert isinstance(started, PreparedBody)
    return started


def start_any(
    action: Action, evaluate: Callable[[Expression], Any] = lambda _: None, registry: Registry | None = None
) -> Started:
    """What starting an action gives, where expressions have the values that `evaluate` gives."""

    def render(text: str) -> str:
        parts = expressions.template(text).parts
        return "".join(part if isinstance(part, str) else str(evaluate(part.expression)) for part in parts)

    return KINDS[action.kind].start(action, StartContext(registry or Registry(), evaluate, render))
