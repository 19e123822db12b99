"""The result of reading a document: the Dag, the findings, and where each part is in the document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from dagrun.core.model import Dag
from dagrun.documents.yaml import Finding, Source
from dagrun.value import Value, field, replace

Path = tuple[str | int, ...]


class Locations(Protocol):
    """Where the parts of a document are: each method returns a path into it. Tasks and services are given by index."""

    def document(self, word: str) -> Path:
        """A key of the document: `params`, `env`, `outputs`."""
        ...

    def task(self, task: int) -> Path:
        """The task."""
        ...

    def name(self, task: int) -> Path:
        """The task's id."""
        ...

    def action(self, task: int) -> Path:
        """The action of the task: the name of a workflow, a script."""
        ...

    def text(self, task: int, path: Path) -> Path:
        """A text of the task's action, which most dialects have at `path` below the task."""
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
        """The trigger of the task."""
        ...

    def edge(self, task: int, need: str) -> Path:
        """The entry that makes the task depend on `need`."""
        ...

    def parallel_with(self, task: int, other: str) -> Path:
        """The entry of `parallel_with` for `other`."""
        ...

    def param(self, task: int, name: str) -> Path:
        """A parameter of the task, in the task or in the defaults."""
        ...

    def variable(self, task: int, name: str) -> Path:
        """An environment variable of the task, in the task or in the defaults."""
        ...

    def default(self, name: str) -> Path:
        """The default of a parameter of the DAG."""
        ...

    def option(self, task: int, word: str) -> Path:
        """A key of the task, in the task or in the defaults."""
        ...


class ParsedDocument(Value):
    """A document that has been read. With findings of level error, `dag` contains only what could be read, for further checks."""

    dag: Dag
    findings: tuple[Finding, ...]
    source: Source
    locations: Locations | None
    #: Indexes of tasks that could not be read: only their ids and dependencies are known.
    broken: frozenset[int] = frozenset()
    #: Keys of the document that could not be read: their declarations are not known.
    unread: frozenset[str] = frozenset()
    #: Of tasks by index: which of `needs`, `params`, `matrix` and `for_each` they have under an unknown name.
    misspelt: Mapping[int, frozenset[str]] = field(default_factory=dict)
    #: Where its hooks are: those of the DAG as if they were its tasks.
    hook_locations: Locations | None = None

    @property
    def hooks(self) -> ParsedDocument | None:
        """The hooks that could be read, as the tasks of a document with the same parameters; None: there are none."""
        if not self.dag.hooks or self.hook_locations is None:
            return None
        tasks = tuple(hook.task for hook in self.dag.hooks)
        dag = replace(self.dag, tasks=tasks, params=(), hooks=())
        return replace(
            self, dag=dag, locations=self.hook_locations, broken=frozenset(), misspelt={}, hook_locations=None
        )


class TooManyFindings(Exception):
    """Ends the reading of a document with many errors."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__()
        self.findings = findings


class ToDag(Protocol):
    """Reads one dialect. `data` is the document, a mapping; `name` is the name of the DAG if the document has none."""

    def __call__(self, data: Mapping[str, Any], source: Source, name: str | None) -> ParsedDocument:
        """Read the document."""
        ...
