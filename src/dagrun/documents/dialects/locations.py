"""The locations of the parts of a document, for all dialects: only a few keys differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dagrun import kinds
from dagrun.documents.dialects.dialect import Path
from dagrun.value import Value

#: The path of a task in the document, and its node.
Node = tuple[Path, Any]


class DialectKeys(Value, kw_only=True):
    """The keys in which dialects differ."""

    #: The word for a task.
    noun: str
    #: The key of its id; None if the node has its id as its key.
    id: str | None
    #: The keys of its lists of dependencies, and the key of the task in an entry that is a mapping.
    needs: tuple[str, ...]
    entry: str
    trigger: str
    params: str
    #: The action keys that only this dialect has, and whether a task may have no action.
    calls: tuple[str, ...] = ()
    idle: bool = False
    #: Keys of later versions, with their features.
    later: Mapping[str, str]

    @property
    def actions(self) -> tuple[str, ...]:
        """The action keys, of which a task has one."""
        return (*self.calls, *kinds.action_keys())


class NodeLocations:
    """The locations of one document, whose keys for the whole run are below `root`."""

    def __init__(self, keys: DialectKeys, nodes: Sequence[Node], root: Path = ()) -> None:
        self.keys = keys
        self.nodes = nodes
        self.root = root
        #: The parameters with a declaration instead of only a default.
        self.declared: set[str] = set()

    def document(self, word: str) -> Path:
        return (*self.root, word)

    def task(self, task: int) -> Path:
        return self.nodes[task][0]

    def name(self, task: int) -> Path:
        own = self.keys.id
        return (*self.task(task), own) if own else self.task(task)

    def action(self, task: int) -> Path:
        path, node = self.nodes[task]
        word = next((word for word in self.keys.actions if word in node), None)
        if word is None:
            return path
        return (*path, word, "name") if isinstance(node[word], dict) else (*path, word)

    def text(self, task: int, path: Path) -> Path:
        return (*self.task(task), *path) if path[0] in self.nodes[task][1] else self.action(task)

    def script(self, task: int, number: int) -> Path:
        path, node = self.nodes[task]
        return (*path, "run") if "run" in node else (*path, "commands", number)

    def image(self, task: int, service: int | None = None) -> Path:
        if service is None:
            return (*self.task(task), "image")
        path = self.service(task, service)
        return path if isinstance(path[-1], int) else (*path, "image")

    def service(self, task: int, service: int) -> Path:
        path, node = self.nodes[task]
        services = node["services"]
        return (*path, "services", service if isinstance(services, list) else list(services)[service])

    def trigger(self, task: int) -> Path:
        return (*self.task(task), self.keys.trigger)

    def edge(self, task: int, need: str) -> Path:
        # The dependency may follow from other keys, or from the order of the steps.
        return next(iter(self.edges(task, need)), self.trigger(task))

    def edges(self, task: int, need: str) -> list[Path]:
        """All entries that make the task depend on `need`."""
        path, node = self.nodes[task]
        return [
            (*path, word, j)
            for word in self.keys.needs
            for j, entry in enumerate(node.get(word) or ())
            if need in (entry, isinstance(entry, dict) and entry.get(self.keys.entry))
        ]

    def parallel_with(self, task: int, other: str) -> Path:
        path, node = self.nodes[task]
        return (*path, "parallel_with", node["parallel_with"].index(other))

    def param(self, task: int, name: str) -> Path:
        return self._given(task, self.keys.params, name)

    def variable(self, task: int, name: str) -> Path:
        return self._given(task, "env", name)

    def default(self, name: str) -> Path:
        return (*self.document("params"), name, *(("default",) if name in self.declared else ()))

    def option(self, task: int, word: str) -> Path:
        path, node = self.nodes[task]
        return (*(path if word in node else ("defaults",)), word)

    def _given(self, task: int, word: str, name: str) -> Path:
        path, node = self.nodes[task]
        return (*(path if name in node.get(word, ()) else ("defaults",)), word, name)
