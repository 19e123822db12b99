"""Checks of an expression before anything runs: names that do not exist, results that come too late."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Final

from dagrun.errors import did_you_mean
from dagrun.language.expressions.comparing import ScalarTypes, certain_problem
from dagrun.language.expressions.evaluation import argument_problem
from dagrun.language.expressions.expression import Expression
from dagrun.language.expressions.parsing import ARGUMENTS, CONSTANTS, unknown_function
from dagrun.language.expressions.tree import (
    Apply,
    Compare,
    ExpressionError,
    FunctionCall,
    Reference,
    TreeNode,
    references,
    walk,
)
from dagrun.value import Value, field

#: Three names of the same root, one for each dialect.
TASK_ROOTS: Final = frozenset({"tasks", "jobs", "steps"})
TASK_FIELDS: Final = ("status", "outputs", "changed", "error", "artifacts", "log_tail")
RUN_FIELDS: Final = ("id", "dag_name", "tenant", "started_at", "scheduled_at")
#: Fields of the run that only conditions may read: they change during the run.
OUTCOME_FIELDS: Final = ("status", "reason", "failed")
#: Functions about the state of the run, which only conditions may call.
STATUS_FUNCTIONS: Final = frozenset({"success", "failure", "always", "cancelled", "changed"})


class Known(Value, kw_only=True):
    """The names that exist where an expression is used. None: not known, or not checked."""

    roots: Collection[str]
    #: The status functions that may be called here; other functions may be called everywhere.
    functions: Collection[str] = ()
    params: Collection[str] | None = None
    tasks: Collection[str] | None = None
    #: The tasks that have certainly ended when this one starts.
    ancestors: Collection[str] | None = None
    #: The advice for a task that is not an ancestor.
    late: Callable[[str], str] = "add '{}' to what this task depends on".format
    run_fields: Collection[str] = RUN_FIELDS
    matrix: Collection[str] | None = None
    secrets: Collection[str] | None = None
    #: The types of parameters and matrix values, where they are certain.
    types: ScalarTypes = field(default_factory=dict)


def problems(expression: Expression, known: Known) -> list[ExpressionError]:
    """All errors of an expression, in the order of the text."""
    found = [problem for each in expression.references for problem in _reference(each, known)]
    found += [problem for each in expression.calls for problem in _call(each, known)]
    if "secrets" in known.roots and _reads_secrets(expression.tree):
        found += _parts(expression)
    found += _comparisons(expression.tree, known)
    return sorted(found, key=lambda problem: problem.offset)


def _reads_secrets(tree: TreeNode) -> bool:
    return any(reference.root == "secrets" for reference in references(tree))


def _parts(expression: Expression) -> Iterator[ExpressionError]:
    """Errors where a secret is split into parts: a part cannot be recognised, so it cannot be masked."""
    for node in walk(expression.tree):
        if isinstance(node, Apply) and node.name == "fromJSON" and _reads_secrets(node):
            message = "a part of a secret would not be masked"
            yield ExpressionError(message, node.offset, "declare it as a secret of its own")


def _comparisons(tree: TreeNode, known: Known) -> Iterator[ExpressionError]:
    for node in walk(tree):
        if isinstance(node, Compare) and (problem := certain_problem(node, known.types)):
            message, advice = problem
            yield ExpressionError(message, node.offset, advice)


def _reference(reference: Reference, known: Known) -> Iterator[ExpressionError]:
    root = reference.root
    if root not in known.roots:
        yield _unknown_root(reference, known)
    elif not reference.path:
        return
    elif root in TASK_ROOTS:
        yield from _task_reference(reference, known)
    else:
        names = {
            "params": known.params,
            "run": known.run_fields,
            "matrix": known.matrix,
            "secrets": known.secrets,
        }
        yield from _field(reference, names.get(root))
        if root in ("env", "github") and len(reference.path) > 1:
            message = f"'{root}.{reference.path[0]}' is text: there is no '{reference.path[1]}' in it"
            yield ExpressionError(
                message, reference.offsets[1], "its names are those of environment variables"
            )


#: Roots that exist only in other places.
_NOT_HERE: Final = {
    "secrets": "'secrets' can be read only in 'env'",
    "matrix": "'matrix' exists only in a task that has one",
    "item": "'item' exists only in a task with 'for_each'",
    "params": "defaults of parameters cannot use 'params': they have no values yet",
    **{
        root: f"defaults of parameters cannot use '{root}': no task has a result yet"
        for root in sorted(TASK_ROOTS)
    },
}
#: Advice for a task with variants of the other sort.
_INSTEAD: Final = {
    "matrix": "a task with 'matrix' has `matrix.<axis>`",
    "item": "a task with 'for_each' has `item`",
}
#: The names of our roots in GitHub Actions.
_ELSEWHERE: Final = {"needs": "jobs", "inputs": "params", "vars": "env"}


def _unknown_root(reference: Reference, known: Known) -> ExpressionError:
    name = reference.root
    if name in _NOT_HERE:
        other = {"item": "matrix", "matrix": "item"}.get(name, "")
        return ExpressionError(
            _NOT_HERE[name], reference.offset, _INSTEAD[other] if other in known.roots else ""
        )
    near = did_you_mean(name.lower() if name.lower() in CONSTANTS else name, {*known.roots, *CONSTANTS})
    if name in _ELSEWHERE:
        near = f"here it is '{_ELSEWHERE[name]}'"
    elif name in ARGUMENTS:
        near = f"to call the function write {name}(), for text write '{name}'"
    elif not near and not reference.path:
        near = f"write text in quotes: '{name}'"
    return ExpressionError(f"unknown name '{name}'", reference.offset, near or _one_of(known.roots))


def _one_of(names: Collection[str]) -> str:
    return f"available: {', '.join(sorted(names))}" if names else ""


_NOUNS: Final = {
    "params": "undeclared parameter '{}'",
    "run": "'run' has no field '{}'",
    "matrix": "the matrix has no key '{}'",
    "secrets": "undeclared secret '{}'",
}
#: Where to declare a name, when there are none or too many to list.
_DECLARED: Final = {
    "params": "declare it in 'params' of the document",
    "secrets": "declare it in 'secrets' of the document",
}


def _field(reference: Reference, names: Collection[str] | None) -> Iterator[ExpressionError]:
    field = str(reference.path[0])
    if names is not None and field not in names:
        message = _NOUNS[reference.root].format(field)
        advice = did_you_mean(field, names) or _few(names) or _DECLARED.get(reference.root, "")
        yield ExpressionError(message, reference.offsets[0], advice)


def _few(names: Collection[str]) -> str:
    return _one_of(names) if len(names) <= 10 else ""


def _task_reference(reference: Reference, known: Known) -> Iterator[ExpressionError]:
    task = str(reference.path[0])
    problem = _task(task, reference.offsets[0], known)
    if problem is not None:
        dotted = _dotted(reference, known)
        yield ExpressionError(problem.message, problem.offset, dotted or problem.suggestion)
    elif len(reference.path) > 1 and str(reference.path[1]) not in TASK_FIELDS:
        field = str(reference.path[1])
        advice = (
            did_you_mean(field, TASK_FIELDS)
            or f"an output is read as {reference.root}.{task}.outputs.{field}"
        )
        yield ExpressionError(f"a task has no field '{field}'", reference.offsets[1], advice)


def _dotted(reference: Reference, known: Known) -> str:
    """Advice for an id that contains a dot."""
    for length in range(2, len(reference.path) + 1):
        joined = ".".join(map(str, reference.path[:length]))
        if known.tasks is not None and joined in known.tasks:
            return f"write {reference.root}['{joined}']"
    return ""


def _task(task: str, offset: int, known: Known) -> ExpressionError | None:
    if known.tasks is not None and task not in known.tasks:
        return ExpressionError(
            f"unknown task '{task}'", offset, did_you_mean(task, known.tasks) or _few(known.tasks)
        )
    if known.ancestors is not None and task not in known.ancestors:
        message = f"'{task}' is not an ancestor of this task: its result may not exist when this task starts"
        return ExpressionError(message, offset, known.late(task))
    return None


def _call(call: FunctionCall, known: Known) -> Iterator[ExpressionError]:
    if call.name not in ARGUMENTS:
        yield unknown_function(call.name, call.offset)
    elif call.name in STATUS_FUNCTIONS and call.name not in known.functions:
        yield ExpressionError(f"{call.name}() can be used only in 'if' and 'unless'", call.offset)
    elif call.name == "changed":
        yield from _changed(call, known)
    elif problem := argument_problem(call.name, call.arguments):
        number, message = problem
        yield ExpressionError(f"{call.name}(): {message}", call.offsets[number])


def _changed(call: FunctionCall, known: Known) -> Iterator[ExpressionError]:
    (task,) = call.arguments
    if call.literal[0] and not isinstance(task, str):
        yield ExpressionError("changed() takes the id of a task, in quotes", call.offsets[0])
    elif isinstance(task, str) and (problem := _task(task, call.offsets[0], known)):
        yield problem
