"""Checks of every `${{ }}` of a document: whether the names that it reads exist at its place."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from dagrun.core.hooks import ON_INTERRUPTED, ON_SCHEDULE_ERROR
from dagrun.core.model import Matrix, ScriptText, Task
from dagrun.documents.dialects.dialect import Locations, ParsedDocument, Path
from dagrun.documents.parameters import env_beyond_defaults, is_deferred, scalar_type
from dagrun.documents.validation.ancestors import AncestorIndex, Ancestors
from dagrun.documents.yaml import Finding
from dagrun.language import expressions
from dagrun.language.expressions import (
    OUTCOME_FIELDS,
    RUN_FIELDS,
    STATUS_FUNCTIONS,
    TASK_ROOTS,
    Expression,
    ExpressionError,
    Known,
    Reference,
    ScalarType,
    ScalarTypes,
)
from dagrun.value import replace

if TYPE_CHECKING:
    from dagrun.language.scripts import SubstitutedScript

ROOTS = frozenset({"params", "env", "run", "github"}) | TASK_ROOTS


def check_expressions(parsed: ParsedDocument) -> Iterator[Finding]:
    """All findings about expressions, each at its own column."""
    return _ExpressionCheck(parsed).findings()


class _ExpressionCheck:
    """The names of one document."""

    def __init__(self, parsed: ParsedDocument) -> None:
        self.parsed = parsed
        self.dag = parsed.dag
        self.ancestors = AncestorIndex(parsed)
        self.index = self.ancestors.index
        #: None: they could not be read, which is an error of its own.
        self.params = None if "params" in parsed.unread else {param.name for param in self.dag.params}
        self.secrets = None if "secrets" in parsed.unread else self.dag.secrets
        self.secret_env = {name for name, text in self.dag.env.items() if _reads_secrets(text)}
        self.types: ScalarTypes = {
            ("params", param.name): kind
            for param in self.dag.params
            if (kind := scalar_type(param)) is not None
        }
        self._scripts_read: dict[
            ScriptText, tuple[list[int], SubstitutedScript | tuple[ExpressionError, ...]]
        ] = {}

    def findings(self) -> Iterator[Finding]:
        locations = self.parsed.locations
        if locations is None:
            return
        yield from self._defaults(locations)
        nowhere = self._known(frozenset(), secrets=True)
        at = locations.document("env")
        yield from self._env(self.dag.env, lambda name: (*at, name), nowhere, frozenset())
        yield from self._values(
            self.dag.outputs, locations.document("outputs"), self._known(None), self.secret_env
        )
        for i, task in enumerate(self.dag.tasks):
            if i not in self.parsed.broken and _has_expressions(task):
                yield from self._task(i, task, locations)
        yield from self._hooks()

    def _hooks(self) -> Iterator[Finding]:
        """Check the hooks, which run when all tasks have ended."""
        locations = self.parsed.hook_locations
        if locations is None:
            return
        known = self._known(None, run_fields=(*RUN_FIELDS, *OUTCOME_FIELDS))
        if "tasks" in self.parsed.unread:  # hooks of the project, which run with any document
            known = replace(known, tasks=None)
        without_run = {
            ON_INTERRUPTED: replace(known, roots={"env", "github", "run"}),
            ON_SCHEDULE_ERROR: replace(known, roots={"env", "github", "schedule"}),
        }
        for i, hook in enumerate(self.dag.hooks):
            if _has_expressions(hook.task):
                yield from self._body(i, hook.task, locations, without_run.get(hook.on, known))

    def _body(self, i: int, task: Task, locations: Locations, known: Known) -> Iterator[Finding]:
        """Check what every body has: its environment, its parameters, its directory, the texts of its action."""
        hidden = self.secret_env | {name for name, text in task.env.items() if _reads_secrets(text)}
        with_secrets = replace(known, roots={*known.roots, "secrets"})
        yield from self._env(
            task.env, lambda name: locations.variable(i, name), with_secrets, self.secret_env
        )
        for name, value in task.params.items():
            yield from self._values(value, locations.param(i, name), known, hidden)
        if task.working_dir is not None:
            yield from self._values(task.working_dir, locations.option(i, "working_dir"), known, hidden)
        for each in task.action.texts():
            if isinstance(each, ScriptText):
                yield from self._script(locations, i, each, known, hidden)
            else:
                here = with_secrets if each.may_hold_secrets else known
                yield from self._values(each.text, locations.text(i, each.path), here, hidden)

    def _task(self, i: int, task: Task, locations: Locations) -> Iterator[Finding]:
        ancestors, path = Ancestors(self.ancestors, i), locations.task(i)
        known = self._known(ancestors, task)
        yield from self._body(i, task, locations, known)
        hidden = self.secret_env | {name for name, text in task.env.items() if _reads_secrets(text)}
        in_env = self._known(ancestors, task, secrets=True)
        asking = self._known(ancestors, task, functions=STATUS_FUNCTIONS)
        for word, text in (("if", task.condition), ("unless", task.unless)):
            if text is not None:
                yield from self._condition(text, (*path, word), asking, hidden)
        if task.for_each is not None:
            yield from self._for_each(task.for_each, (*path, "for_each"), self._known(ancestors), hidden)
        for number, service in enumerate(task.services):
            yield from self._values(service.image, locations.image(i, number), known, hidden)
            at = (*locations.service(i, number), "env")
            yield from self._env(service.env, partial(_below, at), in_env, self.secret_env)
        yield from self._values(task.artifacts, (*path, "artifacts"), known, hidden)

    def _known(
        self,
        ancestors: Collection[str] | None,
        variant_of: Task | None = None,
        *,
        secrets: bool = False,
        functions: Collection[str] = (),
        run_fields: Collection[str] = RUN_FIELDS,
    ) -> Known:
        """The names that exist for one task. `variant_of` is the task where the names of its variants exist too."""
        matrix = variant_of.matrix if variant_of else None
        misspelt = self.parsed.misspelt.get(self.index[variant_of.id], ()) if variant_of else ()
        more = {
            "secrets": secrets,
            "matrix": matrix is not None or "matrix" in misspelt,
            "item": (variant_of is not None and variant_of.for_each is not None) or "for_each" in misspelt,
        }
        known = Known(
            roots=ROOTS.union(root for root, exists in more.items() if exists),
            functions=functions,
            params=self.params,
            tasks=self.index,
            ancestors=ancestors,
            matrix=None
            if matrix is None
            else {*matrix.axes, *(name for entry in matrix.include for name in entry)},
            secrets=self.secrets,
            run_fields=(*RUN_FIELDS, *OUTCOME_FIELDS) if functions else run_fields,
            types=self.types if matrix is None else {**self.types, **_matrix_types(matrix)},
        )
        return replace(known, late=ancestors.late) if isinstance(ancestors, Ancestors) else known

    def _defaults(self, locations: Locations) -> Iterator[Finding]:
        """Check defaults of parameters, which are evaluated before all tasks, and before parameters have values."""
        closed = env_beyond_defaults(self.dag)
        known = Known(roots=("env", "run", "github"))
        secret = closed & self.secret_env
        for param in self.dag.params:
            if not is_deferred(param.default):
                continue
            path = locations.default(param.name)
            yield from self._values(param.default, path, known, secret)
            for at, text in _texts(param.default, path):
                for reference in expressions.references(text):
                    name = reference.path[0] if reference.root == "env" and reference.path else None
                    if name in closed - secret:
                        message = f"env.{name} depends on parameters, which have no values yet"
                        yield self._finding(at, ExpressionError(message, reference.offset))

    def _env(
        self, env: Mapping[str, str], where: Callable[[str], Path], known: Known, below: Collection[str]
    ) -> Iterator[Finding]:
        """Check the values of a mapping of variables. Each can read the names before it, and the layers below.

        `below` are the names that contain secrets in those layers.
        """
        hidden, later = set(below), set(env)
        known_below = set[str]() if env is self.dag.env else self.dag.env.keys()
        for name, text in env.items():
            later.discard(name)
            if "${{" in text:
                path = where(name)
                yield from self._template(text, path, known, hidden)
                for reference in expressions.references(text):
                    if (
                        reference.root == "env"
                        and reference.path[:1]
                        and reference.path[0] in later - known_below
                    ):
                        yield self._early(path, str(reference.path[0]), reference.offsets[0])
                yield from self._evaluated(name, text, path)
            if _reads_secrets(text):
                hidden.add(name)
            else:
                hidden.discard(name)
            if shell := _SHELL.search(text):
                yield self._unexpanded(where(name), text, shell)

    def _early(self, path: Path, name: str, offset: int) -> Finding:
        place = self.parsed.source.place_within(path, offset)
        message = f"env.{name} is defined further down, so this is its value from other sources, or empty"
        return Finding(
            place, message, "env-order", f"move '{name}' above this line to use its value", "warning"
        )

    def _unexpanded(self, path: Path, text: str, shell: re.Match[str]) -> Finding:
        written, name = shell["written"], shell["name"] or shell["braced"] or "HOME"
        place = self.parsed.source.place_within(path, shell.start("written"))
        message = f"'{written}' is not expanded: values of 'env' are not read by a shell"
        return Finding(place, message, "unexpanded-variable", f"write ${{{{ env.{name} }}}}", "warning")

    # --- the places of expressions -------------------------------------------------------------------------

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

    def _evaluated(self, name: str, text: str, path: Path) -> Iterator[Finding]:
        """An error for a value in a variable that a shell executes or expands."""
        if "${{" not in text:
            return
        from dagrun.language import scripts  # the scanner: most documents do not need it

        if scripts.is_evaluated(name):
            for piece in expressions.split(text):
                if isinstance(piece, expressions.PlaceholderSpan):
                    message = f"a value cannot be used here: a shell evaluates the value of {name}"
                    suggestion = "use another name for the variable"
                    yield self._finding(path, ExpressionError(message, piece.start, suggestion))
                    return

    def _template(self, text: str, path: Path, known: Known, hidden: Collection[str]) -> Iterator[Finding]:
        try:
            placeholders = expressions.template(text).placeholders
        except ExpressionError as error:
            yield self._finding(path, error)
            return
        for placeholder in placeholders:
            yield from self._expression(placeholder.expression, path, known, hidden)

    def _condition(self, text: str, path: Path, known: Known, hidden: Collection[str]) -> Iterator[Finding]:
        try:
            expression = expressions.condition(text)
        except ExpressionError as error:
            yield self._finding(path, error)
            return
        yield from self._expression(expression, path, known, hidden)

    def _for_each(
        self, wanted: str | tuple[Any, ...], path: Path, known: Known, hidden: Collection[str]
    ) -> Iterator[Finding]:
        if isinstance(wanted, str):
            try:
                if not expressions.template(wanted.strip()).is_whole:
                    yield self._finding(
                        path,
                        ExpressionError("write one ${{ }} whose value is a list, without text around it", 0),
                    )
                    return
            except ExpressionError:
                pass  # reported below
        yield from self._values(wanted, path, known, hidden)

    def _script(
        self, locations: Locations, i: int, script: ScriptText, known: Known, hidden: Collection[str]
    ) -> Iterator[Finding]:
        """Check all commands together, as the shell reads them: an open quote in one changes the next."""
        if not any("${{" in command for command in script.parts):
            return
        offsets, result = self._substituted(script)
        for problem in result if isinstance(result, tuple) else ():
            yield self._finding(*_command(locations, i, offsets, problem))
        for variable in () if isinstance(result, tuple) else result.variables:
            for error in self._problems(variable.expression, known, hidden):
                yield self._finding(*_command(locations, i, offsets, error))

    def _substituted(
        self, script: ScriptText
    ) -> tuple[list[int], SubstitutedScript | tuple[ExpressionError, ...]]:
        """The offset of each command, and the substituted script or its errors. Tasks may share one script."""
        from dagrun.kinds.script import offsets, substituted
        from dagrun.language import scripts  # the scanner: most documents do not need it

        if (known := self._scripts_read.get(script)) is None:
            found: SubstitutedScript | tuple[ExpressionError, ...]
            try:
                found = substituted(script)
            except scripts.ScriptProblems as problems:
                found = problems.errors
            known = self._scripts_read[script] = (list(offsets(script)), found)
        return known

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
                message = f"'{reference.root}' needs the id of a task"
                yield ExpressionError(message, reference.offset, f"write {reference.root}.<id>")
            yield from self._reach(reference, known)
            if reference.root == "env" and reference.path[:1] and reference.path[0] in hidden:
                name = reference.path[0]
                message = f"env.{name} contains a secret, which an expression must not pass on"
                in_env = "secrets" in known.roots
                advice = (
                    "read the secret itself: ${{ secrets.NAME }}"
                    if in_env
                    else f"read the variable ${name} in the task"
                )
                yield ExpressionError(message, reference.offset, advice)

    def _reach(self, reference: Reference, known: Known) -> Iterator[ExpressionError]:
        """Errors for expressions that could read any variable, and so any secret."""
        if reference.path:
            return
        if reference.root == "env" and self.secrets:
            message = "in a document with secrets, an expression can read 'env' only by a literal name"
            yield ExpressionError(message, reference.offset, "write env.NAME")
        elif reference.root == "secrets" and "secrets" in known.roots:
            message = "an expression can read 'secrets' only by a literal name"
            yield ExpressionError(message, reference.offset, "write secrets.NAME")

    def _finding(self, path: Path, error: ExpressionError) -> Finding:
        place = self.parsed.source.place_within(path, error.offset)
        return Finding(place, error.message, "invalid-expression", error.suggestion)


def _command(
    locations: Locations, i: int, starts: Sequence[int], error: ExpressionError
) -> tuple[Path, ExpressionError]:
    """The path of the command with an error of the whole script, and the error with its offset in that command."""
    found = bisect_right(starts, error.offset) - 1
    return locations.script(i, found), ExpressionError(
        error.message, error.offset - starts[found], error.suggestion
    )


def _matrix_types(matrix: Matrix) -> ScalarTypes:
    """The types of the keys whose values all have the same type."""
    found: dict[str, set[ScalarType]] = {}
    for name, values in matrix.axes.items():
        found.setdefault(name, set()).update(
            "boolean" if isinstance(each, bool) else "text" for each in values
        )
    for entry in matrix.include:
        for name, value in entry.items():
            found.setdefault(name, set()).add("boolean" if isinstance(value, bool) else "text")
    return {("matrix", name): types.pop() for name, types in found.items() if len(types) == 1}


#: Text that a shell would expand: `$NAME`, `${NAME}`, and a `~` at the start of a path.
_SHELL: Final = re.compile(
    r"(?P<written>(?<!\$)\$(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)|\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)\})"
    r"|(?:(?<=^)|(?<=:))~(?=/|:|$))"
)


def _below(path: Path, name: str) -> Path:
    return (*path, name)


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Every text in a value, with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(item, (*path, key))
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            yield from _texts(item, (*path, i))


def _has_expressions(task: Task) -> bool:
    """Whether a task has anything to check; most have not."""
    if task.condition is not None or task.unless is not None or task.for_each is not None or task.services:
        return True
    if any("$" in text or "~" in text for text in task.env.values()):
        return True
    texts = [text.parts for text in task.action.texts()]
    directory = (task.working_dir,) if task.working_dir else ()
    parts = (task.params.values(), task.env.values(), task.artifacts, texts, directory)
    return any(_contains_expression(value) for part in parts for value in part)


def _contains_expression(value: Any) -> bool:
    if isinstance(value, str):
        return "${{" in value
    if isinstance(value, list | tuple):
        return any(map(_contains_expression, value))
    return isinstance(value, Mapping) and any(map(_contains_expression, value.values()))


def _reads_secrets(text: str) -> bool:
    return any(reference.root == "secrets" for reference in expressions.references(text))
