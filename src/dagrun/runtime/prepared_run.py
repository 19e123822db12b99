"""A run that is ready to begin: nothing about it can be refused any more, except its id."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from dagrun.core.graph import Graph
from dagrun.core.model import Dag
from dagrun.masking import Masker
from dagrun.value import Value, field

if TYPE_CHECKING:
    from dagrun.core.work import Json
    from dagrun.registry import Registry


class PreparedRun(Value):
    """The graph, the path of its document, the values of its parameters, and the workflows it may call."""

    graph: Graph
    path: str
    params: Mapping[str, Json]
    registry: Registry
    #: The values of the declared secrets, by name. Never recorded, never shown.
    secrets: Mapping[str, str] = field(default_factory=dict)
    #: Whether it is only a part of what the document declares.
    partial: bool = False
    #: What started it: `manual`, `schedule`, `rerun`, `dag`, ...; and which schedule.
    trigger: str = "manual"
    schedule_id: str | None = None
    #: The minute of the fire.
    scheduled_at: str | None = None
    #: The moment by which it should begin, as RFC 3339 text.
    start_by: str | None = None
    #: The variables of each dotenv file, by the path written in the document.
    dotenv: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    #: Parameters whose values in `params` are still expressions: they are evaluated when the run is created.
    deferred: frozenset[str] = frozenset()
    #: Of a child run: the secrets of the runs above it, which it cannot read. They are masked and hidden in it too.
    foreign_secrets: Mapping[str, str] = field(default_factory=dict)

    #: Further roots of expressions, and what messages say instead of a summary of this run: hooks may be about another one.
    roots: Mapping[str, Json] = field(default_factory=dict)
    summary: Mapping[str, Json] | None = None

    @property
    def masked_texts(self) -> tuple[str, ...]:
        """The values of all secrets that may occur in it."""
        return tuple(dict.fromkeys((*self.foreign_secrets.values(), *self.secrets.values())))

    def __repr__(self) -> str:
        return f"PreparedRun of {self.graph.dag.name!r}"  # no secrets in a traceback

    @property
    def masker(self) -> Masker:
        """Removes the secrets from all that is recorded or shown."""
        return Masker(self.masked_texts)

    @property
    def recorded_params(self) -> Mapping[str, Json]:
        """The values of its parameters as they are recorded."""
        return self.masker.values(self.params)

    @property
    def masked_params(self) -> tuple[str, ...]:
        """The parameters whose recorded value differs from the real one, because it holds a secret."""
        recorded = self.recorded_params
        return tuple(name for name, value in self.params.items() if recorded[name] != value)

    @property
    def max_parallel(self) -> int:
        """The maximum number of concurrent attempts."""
        return default_parallel(self.graph.dag)


def default_parallel(dag: Dag) -> int:
    """The maximum number of concurrent attempts of a DAG: its `max_parallel`, else the CPU count, at least 4."""
    return dag.max_parallel or max(4, os.cpu_count() or 1)
