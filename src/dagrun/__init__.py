"""dagrun: validates, plans and runs workflows written as YAML DAGs. These are its public names."""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` takes longer to import than everything else that `--version` needs
if TYPE_CHECKING:
    from typing import Any

    from dagrun.core.work import Result, TaskContext
    from dagrun.registry import workflow

__all__ = ["Result", "TaskContext", "workflow"]
__version__ = "0.1.0"

_HOMES = {"Result": "dagrun.core.work", "TaskContext": "dagrun.core.work", "workflow": "dagrun.registry"}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: `dagrun --version` uses none."""
    if name not in _HOMES:
        raise AttributeError(f"module 'dagrun' has no attribute '{name}'")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value
