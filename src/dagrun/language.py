"""Every `${{ }}` of a document held against what exists where it stands."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dagrun import expressions, scripts
from dagrun.dialects.base import Path, Written
from dagrun.expressions import STATUS_FUNCTIONS, TASK_ROOTS, Expression, ExpressionError, Known
from dagrun.kinds import shell
from dagrun.model import ContainerAction, ShellAction, Task
from dagrun.source import Finding

ROOTS = frozenset({"params", "env", "run", "github"}) | TASK_ROOTS


def check_language(written: Written) -> Iterator[Finding]:
    """All findings about expressions, each at its own column. Costs O(text) and a walk per task that is named from afar."""
    return _Language(written).findings()


class _Language:
    """One document's names."""

    def __init__(self, written: Written) -> None:
        self.written = written
        self.dag = written.dag
        self.index = {task.id: i for i, task in enumerate(self.dag.tasks)}
        self.params = {param.name for param in self.dag.params}
        self.secret_env = {name for name, text in self.dag.env.items() if _reads_secrets(text)}
        self._below: dict[str, set[int]] = {}
        self._dependents: list[list[int]] | None = None

    def findings(self) -> Iterator[Finding]:
        nowhere: frozenset[str] = frozenset()
        yield from self._values(self.dag.env, ("env",), self._known(nowhere, secrets=True), self.secret_env)
        yield from self._values(self.dag.outputs, ("outputs",), self._known(None), self.secret_env)
        for i, task in enumerate(self.dag.tasks):
            if i not in self.written.broken and self.written.places:
                yield from self._task(i, task, self.written.places.task(i))

    def _task(self, i: int, task: Task, path: Path) -> Iterator[Finding]:
        ancestors = _Ancestors(self, i)
        known = self._known(ancestors, task=task)
        hidden = self.secret_env | {name for name, text in task.env.items() if _reads_secrets(text)}
        assert self.written.places is not None
        in_env = self._known(ancestors, task=task, secrets=True)
        for name, value in task.env.items():
            yield from self._values(value, self.written.places.variable(i, name), in_env, self.secret_env)
        for name, value in task.params.items():
            yield from self._values(value, self.written.places.param(i, name), known, hidden)
        if task.for_each is not None:
            yield from self._values(task.for_each, (*path, "for_each"), self._known(ancestors), hidden)
        if isinstance(task.action, ContainerAction):
            yield from self._values(task.action.image, (*path, "image"), known, hidden)
        asking = self._known(ancestors, task=task, functions=STATUS_FUNCTIONS)
        for word, text in (("if", task.condition), ("unless", task.unless)):
            if text is not None:
                yield from self._condition(text, (*path, word), asking, hidden)
        if isinstance(task.action, ShellAction):
            yield from self._scripts(i, task.action, known, hidden)

    def _known(
        self, ancestors: Collection[str] | None, *, task: Task | None = None, secrets: bool = False,
        functions: Collection[str] = (),
    ) -> Known:  # fmt: skip
        roots, matrix = ROOTS | {"secrets"} if secrets else ROOTS, None
        if task is not None and task.matrix is not None:
            roots |= {"matrix"}
            matrix = [*task.matrix.axes, *(name for entry in task.matrix.include for name in entry)]
        if task is not None and task.for_each is not None:
            roots |= {"item"}
        return Known(
            roots=roots,
            matrix=matrix,
            functions=functions,
            params=self.params,
            tasks=self.index,
            ancestors=ancestors,
            secrets=self.dag.secrets,
        )

    # --- the places that hold expressions ------------------------------------------------------------------

    def _values(self, value: Any, path: Path, known: Known, hidden: Collection[str]) -> Iterator[Finding]:
        if isinstance(value, str):
            if "${{" in value:
                yield from self._template(value, path, known, hidden)
        elif isinstance(value, Mapping):
            for key, item in value.items():
                yield from self._values(item, (*path, key), known, hidden)
        elif isinstance(value, list | tuple):
            for i, item in enumerate(value):
                yield from self._values(item, (*path, i), known, hidden)

    def _template(self, text: str, path: Path, known: Known, hidden: Collection[str]) -> Iterator[Finding]:
        try:
            holes = expressions.template(text).holes
        except ExpressionError as error:
            yield self._finding(path, error)
            return
        for hole in holes:
            yield from self._expression(hole.expression, path, known, hidden)

    def _condition(self, text: str, path: Path, known: Known, hidden: Collection[str]) -> Iterator[Finding]:
        try:
            expression = expressions.condition(text)
        except ExpressionError as error:
            yield self._finding(path, error)
            return
        yield from self._expression(expression, path, known, hidden)

    def _scripts(
        self, i: int, action: ShellAction, known: Known, hidden: Collection[str]
    ) -> Iterator[Finding]:
        """All commands together, as the shell will read them: a quote left open in one changes the next."""
        if not any("${{" in command for command in action.commands):
            return
        try:
            fitted = scripts.fit(shell.script(action), action.shell)
        except scripts.ScriptProblems as problems:
            for error in problems.errors:
                yield self._finding(*self._command(i, action, error))
            return
        for variable in fitted.variables:
            for error in self._problems(variable.expression, known, hidden):
                yield self._finding(*self._command(i, action, error))

    def _command(self, i: int, action: ShellAction, error: ExpressionError) -> tuple[Path, ExpressionError]:
        """The command in which an error of the whole script stands, and the error as that command's own."""
        assert self.written.places is not None
        start = 0
        found = 0
        for number, begin in enumerate(shell.starts(action)):
            if begin <= error.offset:
                found, start = number, begin
        path = self.written.places.script(i, found)
        return path, ExpressionError(error.message, error.offset - start, error.suggestion)

    # --- one expression ------------------------------------------------------------------------------------

    def _expression(
        self, expression: Expression, path: Path, known: Known, hidden: Collection[str]
    ) -> Iterator[Finding]:
        for error in self._problems(expression, known, hidden):
            yield self._finding(path, error)

    def _problems(
        self, expression: Expression, known: Known, hidden: Collection[str]
    ) -> Iterator[ExpressionError]:
        yield from expressions.problems(expression, known)
        for reference in expression.references:
            if reference.root in TASK_ROOTS and not reference.path:
                message = f"'{reference.root}' is asked for one task at a time"
                yield ExpressionError(message, reference.offset, f"write {reference.root}.<id>")
            if reference.root == "env" and reference.path[:1] and reference.path[0] in hidden:
                name = reference.path[0]
                message = f"env.{name} holds a secret, which an expression cannot pass on"
                yield ExpressionError(message, reference.offset, f"read the variable ${name} in the task")

    def _finding(self, path: Path, error: ExpressionError) -> Finding:
        place = self.written.source.place_within(path, error.offset)
        return Finding(place, error.message, "invalid-expression", error.suggestion)

    # --- who stands above whom -----------------------------------------------------------------------------

    def is_above(self, name: str, i: int) -> bool:
        """Whether the task `name` is an ancestor of task number `i`."""
        if any(need.task == name for need in self.dag.tasks[i].needs):
            return True
        if name not in self._below:
            self._below[name] = self._walk_down(self.index[name])
        return i in self._below[name]

    def _walk_down(self, start: int) -> set[int]:
        if self._dependents is None:
            self._dependents = [[] for _ in self.dag.tasks]
            for i, task in enumerate(self.dag.tasks):
                for need in task.needs:
                    if need.task in self.index:
                        self._dependents[self.index[need.task]].append(i)
        found: set[int] = set()
        pile = [start]
        while pile:
            for dependent in self._dependents[pile.pop()]:
                if dependent not in found:
                    found.add(dependent)
                    pile.append(dependent)
        return found


@dataclass(frozen=True, slots=True)
class _Ancestors(Collection[str]):
    """The ancestors of one task, found out only when somebody asks for one."""

    language: _Language
    task: int

    def __contains__(self, name: object) -> bool:
        return (
            isinstance(name, str) and name in self.language.index and self.language.is_above(name, self.task)
        )

    def __iter__(self) -> Iterator[str]:
        return (name for name in self.language.index if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _reads_secrets(text: str) -> bool:
    if "secrets" not in text:
        return False
    try:
        holes = expressions.template(text).holes
    except ExpressionError:
        return False
    return any(reference.root == "secrets" for hole in holes for reference in hole.expression.references)
