"""A request to run a DAG, as a value and as the JSON that a process of dagrun passes to another one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dagrun.core.outcomes import OnError
from dagrun.core.selection import EVERYTHING, Selection
from dagrun.value import Value, field

if TYPE_CHECKING:
    from dagrun.core.work import Json


class RunRequest(Value, kw_only=True):
    """What to run and how. None means: as the document declares."""

    #: A path or a name.
    dag: str
    #: Parameter values.
    values: Mapping[str, Json] = field(default_factory=dict)
    #: Parameters as `name=value` texts, and a YAML file of them: they override `values`.
    params: Sequence[str] = ()
    params_file: Path | None = None
    tenant: str | None = None
    max_parallel: int | None = None
    on_error: OnError | None = None
    selection: Selection = EVERYTHING
    trigger: str = "manual"
    schedule_id: str | None = None
    scheduled_at: str | None = None
    #: Of a schedule: its `sla`, and its time zone.
    finish_within: float | None = None
    start_by: str | None = None
    timezone: str | None = None

    def to_json(self) -> str:
        """One JSON object. It may contain secrets, so it is passed on in a way that other users cannot see."""
        selection = self.selection
        return json.dumps(
            {
                "dag": self.dag,
                "values": self.values,
                "params": list(self.params),
                "params_file": None if self.params_file is None else str(self.params_file),
                "tenant": self.tenant,
                "max_parallel": self.max_parallel,
                "on_error": self.on_error,
                "selection": {name: list(getattr(selection, name)) for name in ("only", "start", "until")},
                "trigger": self.trigger,
                "schedule_id": self.schedule_id,
                "scheduled_at": self.scheduled_at,
                "finish_within": self.finish_within,
                "start_by": self.start_by,
                "timezone": self.timezone,
            }
        )

    @staticmethod
    def from_json(text: str | bytes) -> RunRequest:
        """The request that `to_json` wrote. Raises ValueError, TypeError or KeyError for anything else."""
        found = json.loads(text)
        path, on_error = found.pop("params_file"), found.pop("on_error")
        return RunRequest(
            params=tuple(found.pop("params")),
            params_file=None if path is None else Path(path),
            on_error=None if on_error is None else OnError(on_error),
            selection=Selection(**{name: tuple(ids) for name, ids in found.pop("selection").items()}),
            **found,
        )
