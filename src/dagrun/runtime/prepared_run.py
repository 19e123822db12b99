"""A run that may begin: nothing about it can be refused any more but its id."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dagrun.core.graph import Graph
from dagrun.core.model import Dag
from dagrun.masking import Masker

if TYPE_CHECKING:
    from dagrun.core.work import Json
    from dagrun.registry import Registry


@dataclass(frozen=True, slots=True)
class PreparedRun:
    """The graph, where its document was found, the values of its parameters, and what its workflows are."""

    graph: Graph
    path: str
    params: Mapping[str, Json]
    registry: Registry
    #: The values of the declared secrets, by name. Never recorded, never shown.
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: Whether it is only a part of what the document says.
    partial: bool = False
    #: Who asked for it: `manual`, `schedule`, ..., and which schedule.
    trigger: str = "manual"
    schedule_id: str | None = None
    #: The minute that it was fired for.
    scheduled_at: str | None = None
    #: What the files of variables say, by the path that the document gives.
    dotenv: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    #: Parameters whose values in `params` are still expressions: they are evaluated when the run is created.
    deferred: frozenset[str] = frozenset()

    @property
    def masker(self) -> Masker:
        """What takes the secrets out of all that is recorded or shown."""
        return Masker(self.secrets.values())

    @property
    def recorded_params(self) -> Mapping[str, Json]:
        """The values of its parameters as they are recorded."""
        return self.masker.values(self.params)

    @property
    def masked_params(self) -> tuple[str, ...]:
        """The parameters whose values are not what is recorded, because they hold a secret."""
        recorded = self.recorded_params
        return tuple(name for name, value in self.params.items() if recorded[name] != value)

    @property
    def max_parallel(self) -> int:
        """How many attempts may run at once: what the document says, else the CPU count, at least 4."""
        return at_once(self.graph.dag)


def at_once(dag: Dag) -> int:
    """How many attempts of a run of this DAG may run at once, for all that is known without its run."""
    return dag.max_parallel or max(4, os.cpu_count() or 1)
