"""What a kind of task says about itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dagrun.core.work import Body
from dagrun.language.expressions import Expression
from dagrun.registry import Registry

Evaluate = Callable[[Expression], Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind. `label` is what a dry run calls the task; `body` is what an executor is to run, with the
    environment variables that it needs for that. The function it is given evaluates expressions."""

    name: str
    label: Callable[[Any], str]
    body: Callable[[Any, Registry, Evaluate], tuple[Body, Mapping[str, str]]]
