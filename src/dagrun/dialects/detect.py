"""Which dialect a document is written in: its top-level key says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagrun.dialects import jobs, native, steps
from dagrun.dialects.base import ToDag, Written
from dagrun.model import Dag
from dagrun.source import Finding, Source

#: One row per top-level key: the dialect's name, and its reader.
DIALECTS: Mapping[str, tuple[str, ToDag]] = {
    "tasks": ("native", native.to_dag),
    "spec": ("steps", steps.to_dag),
    "steps": ("steps", steps.to_dag),
    "jobs": ("jobs", jobs.to_dag),
}


def to_dag(data: Any, source: Source, name: str | None) -> Written:
    """Read a document of any dialect; `name` is the DAG's where the document gives none."""
    if not isinstance(data, dict):
        return _refused(source, Finding(source.place(()), "a DAG is a mapping with 'tasks:'", "no-mapping"))
    present = [key for key in data if key in DIALECTS]
    if len(present) > 1:
        place = source.place((present[1],), key=True)
        both = " and ".join(f"'{key}:'" for key in present)
        return _refused(
            source, Finding(place, f"one document has one dialect, but this one has {both}", "two-dialects")
        )
    _, reader = DIALECTS[present[0] if present else _meant(data)]
    return reader(data, source, name)


def _meant(data: Mapping[str, Any]) -> str:
    """The dialect of a document without its key: that of a key that is nearly one (`job:`), or the native one."""
    return next((f"{key}s" for key in data if f"{key}s" in DIALECTS), "tasks")


def _refused(source: Source, finding: Finding) -> Written:
    return Written(Dag(name="unnamed", tasks=()), (finding,), source, None)
