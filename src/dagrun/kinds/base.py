"""What a kind of task says about itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dagrun.registry import Registry
from dagrun.work import Call, Command


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind. `label` is what a dry run calls the task, `body` what an executor is to run."""

    name: str
    label: Callable[[Any], str]
    body: Callable[[Any, Registry], Call | Command]
