"""The dialect of a document, which its top-level key decides."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from dagrun.core.model import Dag
from dagrun.documents.dialects.dialect import ParsedDocument, ToDag, TooManyFindings
from dagrun.documents.yaml import Finding, Source
from dagrun.errors import nearest

#: One row per top-level key: the dialect, which is also the name of its module. Only the dialect in use is imported,
#: because its models cost more time than most documents.
DIALECTS: Mapping[str, str] = {"tasks": "native", "spec": "steps", "steps": "steps", "jobs": "jobs"}


#: The keys of all dialects that call a registered workflow.
CALLS = ("workflow_ref", "toolRef", "agentRef")

_BELOW = "write the list below 'tasks:'"


def to_dag(data: Any, source: Source, name: str | None) -> ParsedDocument:
    """Read a document of any dialect. `name` is the name of the DAG if the document has none."""
    if not isinstance(data, dict):
        return _refused(
            source,
            Finding(
                source.place(()),
                "a DAG is a mapping with 'tasks:'",
                "no-mapping",
                _BELOW if isinstance(data, list) else "",
            ),
        )
    present = [key for key in data if key in DIALECTS]
    if len(present) > 1:
        place = source.place((present[1],), key=True)
        both = " and ".join(f"'{key}:'" for key in present)
        message = f"a document has one dialect, but this one has {both}"
        return _refused(
            source, Finding(place, message, "two-dialects", "keep one of them, or write two documents")
        )
    dialect = DIALECTS[present[0] if present else _intended_key(data)]
    reader: ToDag = import_module(f"dagrun.documents.dialects.{dialect}").to_dag
    try:
        return reader(data, source, name)
    except TooManyFindings as error:
        found = error.findings
    message = f"there are more errors than the {len(found):,} above; correct those first"
    return _refused(source, *found, Finding(source.place(()), message, "too-many-errors"))


def _intended_key(data: Mapping[str, Any]) -> str:
    """The missing top-level key: one that the document nearly has (`job:`, `Jobs:`), otherwise the native one."""
    if "apiVersion" in data or "metadata" in data:
        return "spec"
    known = (*DIALECTS, "stages")  # a key of CI services that is similar to 'steps'
    near = (nearest(key.lower(), known) for key in data)
    return next((each for each in near if each is not None and each in DIALECTS), "tasks")


def may_call(source: Source) -> bool:
    """Whether the document seems to call registered workflows, without parsing it as YAML."""
    return any(word in source.text for word in CALLS)


def _refused(source: Source, *findings: Finding) -> ParsedDocument:
    return ParsedDocument(Dag(name="unnamed", tasks=()), findings, source, None)
