"""What a dialect hands over: the Dag, what was wrong with its text, and where each task was written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from dagrun.core.model import Dag
from dagrun.documents.yaml import Finding, Source

Path = tuple[str | int, ...]


class Locations(Protocol):
    """Where a dialect wrote what: each method gives a path into the document. Tasks and services go by number."""

    def document(self, word: str) -> Path:
        """One of the words about the whole run: `params`, `env`, `outputs`."""
        ...

    def task(self, task: int) -> Path:
        """The task."""
        ...

    def name(self, task: int) -> Path:
        """The task's id."""
        ...

    def action(self, task: int) -> Path:
        """What the task does: a workflow's name, a script."""
        ...

    def script(self, task: int, number: int) -> Path:
        """One of the commands of a task."""
        ...

    def image(self, task: int, service: int | None = None) -> Path:
        """The image of a task, or of one of its services."""
        ...

    def service(self, task: int, service: int) -> Path:
        """One of the task's services."""
        ...

    def trigger(self, task: int) -> Path:
        """How the task's dependencies must have ended."""
        ...

    def edge(self, task: int, need: str) -> Path:
        """The entry that makes the task depend on `need`."""
        ...

    def parallel_with(self, task: int, other: str) -> Path:
        """The entry that puts the task into one parallel group with `other`."""
        ...

    def param(self, task: int, name: str) -> Path:
        """One of the task's parameters, where it was given."""
        ...

    def variable(self, task: int, name: str) -> Path:
        """One of the task's environment variables, where it was given."""
        ...

    def default(self, name: str) -> Path:
        """The default of one of the DAG's parameters."""
        ...

    def option(self, task: int, word: str) -> Path:
        """A word of the task, where it or the document's `defaults` say it."""
        ...


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """A document as read. With findings of level error, `dag` holds only what could be read, for further checks."""

    dag: Dag
    findings: tuple[Finding, ...]
    source: Source
    locations: Locations | None
    #: Indices of tasks that could not be read: only their ids and dependencies are worth anything.
    broken: frozenset[int] = frozenset()
    #: Words about the whole run that could not be read: what they declare is not known.
    unread: frozenset[str] = frozenset()
    #: Of tasks by index: `needs`, `params`, `matrix` and `for_each`, where they stand under a name that nobody knows.
    misspelt: Mapping[int, frozenset[str]] = field(default_factory=dict)


class ToDag(Protocol):
    """One dialect. `data` is the document as plain data, a mapping; `name` is the DAG's when it gives none."""

    def __call__(self, data: Mapping[str, Any], source: Source, name: str | None) -> ParsedDocument:
        """Read the document."""
        ...
