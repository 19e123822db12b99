"""Checks over several documents: the DAGs that tasks run as child runs, their parameters, and the chains that they form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dagrun.core.model import Dag, Task
from dagrun.documents import parameters
from dagrun.documents.yaml import Finding
from dagrun.errors import NotFoundError, did_you_mean
from dagrun.value import Value

if TYPE_CHECKING:
    from dagrun.documents.dialects.dialect import Locations, ParsedDocument

#: How many child runs may be below each other.
MAX_DEPTH: Final = 16


class LinkedDocument(Value):
    """A document with the documents that its tasks run, by the index of the task."""

    #: What people see: the name of the DAG, and the path of the document.
    name: str
    shown: str
    #: None when it could not be read at all.
    dag: Dag | None
    #: None when it runs no other, and was checked before.
    parsed: ParsedDocument | None
    #: Whether it is wrong by itself.
    is_wrong: bool
    children: Mapping[int, Path]
    #: The tasks whose DAG does not exist.
    missing: Mapping[int, NotFoundError]


def check_child_documents(documents: Mapping[Path, LinkedDocument]) -> Mapping[Path, Sequence[Finding]]:
    """The findings about child runs in each of these documents, which are all that are reached from the first one."""
    checked = _Chains(documents)
    return {key: [*checked.findings(key)] for key in documents}


class _Chains:
    """Follows the child runs from document to document."""

    def __init__(self, documents: Mapping[Path, LinkedDocument]) -> None:
        self._documents = documents
        self._depths: dict[Path, int] = {}
        self._wrong: dict[Path, bool] = {}

    def findings(self, key: Path) -> Iterator[Finding]:
        document = self._documents[key]
        parsed = document.parsed
        if parsed is None or parsed.locations is None:
            return
        for i, error in document.missing.items():
            place = parsed.source.place(parsed.locations.action(i))
            yield Finding(place, error.message, "unknown-dag", error.hint)
        for i, child in document.children.items():
            if (chain := self._endless(key, child)) is not None:
                yield self._at(parsed, i, self._message(chain), "endless-chain")
                continue
            other = self._documents[child]
            if self._is_wrong(child):
                message = f"DAG '{other.name}' cannot run: {other.shown} has errors"
                yield self._at(parsed, i, message, "invalid-child")
            are_known = other.parsed is None or "params" not in other.parsed.unread
            if other.dag is not None and are_known:
                yield from _parameters(parsed, parsed.locations, i, other.dag)

    def _at(self, parsed: ParsedDocument, i: int, message: str, code: str) -> Finding:
        assert parsed.locations is not None
        return Finding(parsed.source.place(parsed.locations.action(i)), message, code)

    def _is_wrong(self, key: Path) -> bool:
        """Whether the document, or one below it, is wrong. Only for one that is in no cycle."""
        if key not in self._wrong:
            document = self._documents[key]
            self._wrong[key] = document.is_wrong or next(self.findings(key), None) is not None
        return self._wrong[key]

    def _message(self, chain: Sequence[Path]) -> str:
        names = [self._documents[key].name for key in chain]
        shown = " -> ".join(names)
        if chain[-1] in chain[:-1]:
            return f"DAG '{names[-1]}' would run itself: {shown}"
        return f"child runs are nested too deeply, and {MAX_DEPTH} levels are allowed: {shown}"

    def _endless(self, key: Path, child: Path) -> Sequence[Path] | None:
        """The chain from `key` over `child` that comes back to a document in it or is too deep; None if there is none."""
        try:
            self._depth(child, (key,))
        except _EndlessChain as found:
            return found.chain
        return None

    def _depth(self, key: Path, above: tuple[Path, ...]) -> int:
        """How many levels of child runs are below a document. Raises _EndlessChain."""
        chain = (*above, key)
        if key in above or len(above) > MAX_DEPTH:
            raise _EndlessChain(chain)
        depth = self._depths.get(key)
        if depth is None:
            children = dict.fromkeys(self._documents[key].children.values())
            depth = max((1 + self._depth(child, chain) for child in children), default=0)
            self._depths[key] = depth
        if len(above) + depth > MAX_DEPTH:
            raise _EndlessChain((*chain, *self._deepest(key, MAX_DEPTH + 1 - len(above))))
        return depth

    def _deepest(self, key: Path, levels: int) -> Iterator[Path]:
        for _ in range(levels):
            key = max(self._documents[key].children.values(), key=lambda child: self._depths.get(child, -1))
            yield key


class _EndlessChain(Exception):
    def __init__(self, chain: Sequence[Path]) -> None:
        super().__init__()
        self.chain = chain


def _parameters(parsed: ParsedDocument, locations: Locations, i: int, child: Dag) -> Iterator[Finding]:
    """What is wrong with the parameters that task number `i` gives to a child run."""
    task = parsed.dag.tasks[i]
    declared = {param.name: param for param in child.params}
    for name, value in task.params.items():
        at = locations.param(i, name)
        param = declared.get(name)
        if param is None:
            hint = did_you_mean(name, declared) or (
                f"it has: {', '.join(declared)}" if declared else "it has none"
            )
            message = f"DAG '{child.name}' has no parameter '{name}'"
            yield Finding(parsed.source.place(at, key=True), message, "unknown-parameter", hint)
        elif not parameters.is_deferred(value) and (problem := parameters.problem_with_value(param, value)):
            yield Finding(parsed.source.place(at), f"DAG '{child.name}': {problem}", "invalid-value")
    if "params" in parsed.misspelt.get(i, ()):
        return
    for param in child.params:
        if param.required and param.default is None and not _is_given(task, param.name):
            message = f"DAG '{child.name}' needs the parameter '{param.name}'"
            hint = f"add it to the '{locations.param(i, param.name)[-2]}' of '{task.id}'"
            yield Finding(parsed.source.place(locations.action(i)), message, "missing-parameter", hint)


def _is_given(task: Task, name: str) -> bool:
    """Whether the task gives the parameter, or a dependency may: its outputs have names like `<task>__<key>`."""
    return name in task.params or any(name.startswith(f"{need.task}__") for need in task.needs)


def given_to(child: Dag, params: Mapping[str, Any], upstream: Mapping[str, Any]) -> dict[str, Any]:
    """The values that a child run gets: the task's parameters, and of the outputs of dependencies those that it declares."""
    declared = {param.name: param for param in child.params}
    given = {**params, **{name: value for name, value in upstream.items() if name in declared}}
    return {
        name: parameters.converted(declared[name], value) if name in declared else value
        for name, value in given.items()
    }
