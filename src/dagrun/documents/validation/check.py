"""All checks of a document beyond the form of its nodes."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any, Final

from dagrun.core.graph import cycles
from dagrun.core.model import ScriptText, Task
from dagrun.core.payloads import parameter_variable
from dagrun.core.variants import meant, variant_ids
from dagrun.documents.dialects.dialect import Locations, ParsedDocument
from dagrun.documents.parameters import problem_with_default
from dagrun.documents.validation.expressions import check_expressions
from dagrun.documents.validation.parallel import check_parallel
from dagrun.documents.validation.reachability import check_reachability
from dagrun.documents.yaml import Finding, Place, changed_numbers
from dagrun.documents.yaml.values import brief
from dagrun.errors import did_you_mean
from dagrun.kinds import kind_of, workflow_of
from dagrun.value import replace

if TYPE_CHECKING:
    from dagrun.registry import Failure, Registry, Workflow

MAX_IN_A_CYCLE: Final = 20  # tasks that a message lists
FEW_TASKS: Final = 10
MAX_OF_A_SORT: Final = 200  # findings of one sort that are reported


def check(parsed: ParsedDocument, registry: Registry | None) -> list[Finding]:
    """All findings about the meaning of a document, in the order of the document. Costs O(tasks + edges).

    Without a registry (None) workflows are not checked.
    """
    rings = list(_cycles(parsed))
    found = [
        *_first(_duplicates(parsed)),
        *_first(_dangling(parsed)),
        *rings,
        *(() if rings else _first(check_parallel(parsed))),
        *_first(_declarations(parsed)),
        *_first(_parameters(parsed)),
        *_first(_numbers(parsed)),
        *_first(_changed_numbers(parsed)),
        *_first(check_expressions(parsed)),
        *_first(_bash_in_sh(parsed)),
        *_first(_of_hooks(parsed)),
    ]
    if not any(finding.level == "error" for finding in (*parsed.findings, *found)):
        found += _first(check_reachability(parsed))
    if registry is not None:
        found += _first(_workflows(parsed, registry))
        if parsed.hooks is not None:
            found += _first(_workflows(parsed.hooks, registry))
    return sorted(found, key=lambda finding: (finding.place.line, finding.place.column))


def _of_hooks(parsed: ParsedDocument) -> Iterator[Finding]:
    """The findings about hooks that are the same as those about tasks."""
    if parsed.hooks is not None:
        for check_part in (_parameters, _numbers, _changed_numbers, _bash_in_sh):
            yield from check_part(parsed.hooks)


def _first(findings: Iterator[Finding]) -> Iterator[Finding]:
    """The first findings of one sort, without duplicates: an error in `defaults` is found again in every task.

    Each finding may search all tasks for a similar name.
    """
    found: dict[tuple[Place, str], Finding] = {}
    for finding in findings:
        key = (finding.place, finding.message)
        if len(found) == MAX_OF_A_SORT and key not in found:
            message = f"there are more {finding.level}s like the {MAX_OF_A_SORT} above; correct those first"
            found[finding.place, message] = replace(finding, message=message, suggestion="")
            break
        found.setdefault(key, finding)
    yield from found.values()


def _sound(parsed: ParsedDocument) -> Iterator[tuple[int, Task]]:
    """The tasks that could be read."""
    return ((i, task) for i, task in enumerate(parsed.dag.tasks) if i not in parsed.broken)


def _at(parsed: ParsedDocument, path: tuple[str | int, ...], message: str, code: str, **more: Any) -> Finding:
    key = more.pop("key", False)
    return Finding(parsed.source.place(path, key=key), message, code, **more)


def _duplicates(parsed: ParsedDocument) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    reported: set[str] = set()
    for i, task in enumerate(parsed.dag.tasks):
        if task.id in seen and task.id not in reported and parsed.locations:
            reported.add(task.id)
            first = parsed.source.place(parsed.locations.task(seen[task.id])).line
            yield _at(
                parsed, parsed.locations.name(i), f"ValidationError: Duplicate task IDs found: {task.id}",
                "duplicate-id", suggestion=f"the first one is on line {first}",
            )  # fmt: skip
        seen.setdefault(task.id, i)


def _dangling(parsed: ParsedDocument) -> Iterator[Finding]:
    tasks = parsed.dag.tasks
    byname = {task.id: task for task in tasks}
    known = {**byname, **variant_ids(tasks)}
    unread = {tasks[i].id for i in parsed.broken}
    for i, task in enumerate(tasks):
        for need in task.needs:
            if need.task not in known and need.task.partition("[")[0] not in unread and parsed.locations:
                yield _at(
                    parsed, parsed.locations.edge(i, need.task),
                    f"ValidationError: Task '{brief(task.id, 150)}' depends on non-existent task '{brief(need.task, 150)}'",
                    "unknown-task", suggestion=_near(need.task, task.id, known, byname),
                )  # fmt: skip


#: Scripts without any of these contain no bash syntax, so that the scanner need not even be imported.
_BASH: Final = re.compile(
    r"\[\[|\(\(|[&|]>|\|&|;;?&|<<<|[<>]\(|>&|=\(|\+=|\]=|==|\$'|\$\[|\$\{[!\w]*[\[/^,:@]|\$\{!|\{[^\s{}]*(?:,|\.\.)|\{\w+\}[<>]|pipefail"
    r"|\b(?:function|source|local|declare|typeset|let|shopt|mapfile|readarray|pushd|popd|dirs|enable|builtin|caller|compgen"
    r"|complete|disown|select|coproc|echo|read|printf|test|exec|wait|type|export|readonly|trap)\b"
)


def _bash_in_sh(parsed: ParsedDocument) -> Iterator[Finding]:
    """Warnings about bash syntax in scripts for `sh`, each sort once per script. Tasks may share one script."""
    locations = parsed.locations
    known: dict[ScriptText, list[tuple[int, int, str]]] = {}
    if locations is None:
        return
    scripts = ((i, text) for i, task in _sound(parsed) for text in task.action.texts())
    for i, script in scripts:
        # most scripts have none
        if not isinstance(script, ScriptText) or not any(map(_BASH.search, script.parts)):
            continue
        from dagrun.kinds.interpreter import interpreter

        if interpreter(script).shell not in ("sh", "dash"):
            continue
        if script not in known:
            known[script] = list(_bashisms(script))
        for number, offset, what in known[script]:
            yield Finding(
                parsed.source.place_within(locations.script(i, number), offset),
                f"{what if what.startswith('an ') else f'`{what}`'} is bash syntax, which sh may read as something else",
                "bash-syntax",
                "write shell: bash", "warning",
            )  # fmt: skip


def _bashisms(script: ScriptText) -> Iterator[tuple[int, int, str]]:
    """The index of the command, the offset in it, and the syntax."""
    from dagrun.kinds.script import joined, offsets
    from dagrun.language.scripts import bashisms  # the scanner takes 5 ms to import

    starts = list(offsets(script))
    for each in bashisms(joined(script)):
        number = bisect_right(starts, each.offset) - 1
        yield number, each.offset - starts[number], each.what


def _near(name: str, own: str, known: Collection[str], tasks: Mapping[str, Task]) -> str:
    """Advice for an unknown name in the task `own`: a similar task, or the variants if the task exists."""
    base, bracket, _ = name.partition("[")
    if not bracket or base not in tasks:
        few = ", ".join(task for task in islice(tasks, FEW_TASKS + 1) if task != own)
        few = f"available: {few}" if few and len(tasks) <= FEW_TASKS + 1 else ""
        return did_you_mean(name, [each for each in known if each != own]) or few
    siblings = [each for each in known if each.startswith(base + "[")]
    if tasks[base].for_each is not None:
        return f"the variants of '{base}' are known only during the run: write only '{base}'"
    if not siblings:
        return f"'{base}' has no variants: write only '{base}'"
    return meant(name, siblings)


def _cycles(parsed: ParsedDocument) -> Iterator[Finding]:
    tasks = parsed.dag.tasks
    last = {task.id: i for i, task in enumerate(tasks)} | variant_ids(tasks)
    # If every task comes after its dependencies, as in most documents, there can be no cycle.
    if all(last.get(need.task, -1) < i for i, task in enumerate(tasks) for need in task.needs):
        return
    needs = {
        task.id: {tasks[last[need.task]].id: need.task for need in task.needs if need.task in last}
        for task in tasks
    }
    twice = {task.id for i, task in enumerate(tasks) if last[task.id] != i}  # an error of its own
    for ring in cycles({task: list(deps) for task, deps in needs.items()}):
        if parsed.locations and twice.isdisjoint(ring):
            yield _at(
                parsed, parsed.locations.edge(last[ring[0]], needs[ring[0]][ring[1]]),
                f"CycleDetectedError: Cycle detected in DAG '{parsed.dag.name}': {_chain(ring)}",
                "cycle", suggestion=_way_out(ring, last, needs, parsed.locations),
            )  # fmt: skip


def _way_out(
    ring: list[str], last: Mapping[str, int], needs: Mapping[str, Mapping[str, str]], locations: Locations
) -> str:
    """Advice for a cycle. One of its dependencies may be implicit: that of a job that waits for all others."""
    for task, dep in pairwise(ring):
        if locations.edge(last[task], needs[task][dep]) == locations.trigger(last[task]):
            return f"'{task}' has no dependencies of its own, so it waits for all other jobs: give it 'requires' or 'after'"
    return "each task depends on the next; remove one of these dependencies"


def _chain(ring: list[str]) -> str:
    if len(ring) > MAX_IN_A_CYCLE + 1:
        left = len(ring) - 1 - MAX_IN_A_CYCLE
        ring = [*ring[: MAX_IN_A_CYCLE // 2], f"({left} more)", *ring[-MAX_IN_A_CYCLE // 2 - 1 :]]
    return " -> ".join(ring)


def _declarations(parsed: ParsedDocument) -> Iterator[Finding]:
    for param in parsed.dag.params:
        problem = problem_with_default(param)
        if problem and parsed.locations:
            yield _at(parsed, (*parsed.locations.document("params"), param.name), problem, "invalid-value")


def _parameters(parsed: ParsedDocument) -> Iterator[Finding]:
    for i, task in _sound(parsed):
        if not task.params or not parsed.locations:
            continue
        for name in task.params:
            if upstream := _supplier(task, name):
                yield _at(
                    parsed, parsed.locations.param(i, name),
                    f"an output of '{upstream}' would replace the parameter '{name}'",
                    "shadowed-parameter", level="warning", key=True,
                )  # fmt: skip
        if kind_of(task).params_in_environment:
            owners: dict[str, str] = {}
            for name in task.params:
                variable = parameter_variable(name)
                if variable is None:
                    yield _at(
                        parsed, parsed.locations.param(i, name),
                        f"the parameter '{name}' cannot be an environment variable: it is only in $DAGRUN_PARAMS_FILE",
                        "no-variable", suggestion="use letters, digits, '_', '-' and '.'", level="warning", key=True,
                    )  # fmt: skip
                    continue
                if variable in owners:
                    yield _at(
                        parsed, parsed.locations.param(i, name),
                        f"parameters '{owners[variable]}' and '{name}' would both set ${variable}",
                        "variable-collision", suggestion="rename one of them", key=True,
                    )  # fmt: skip
                owners[variable] = name


def _supplier(task: Task, name: str) -> str | None:
    """The dependency whose output would set a parameter: outputs have names like `<task>__<key>`."""
    if "__" not in name:  # most names do not, and there may be many dependencies
        return None
    return next((need.task for need in task.needs if name.startswith(f"{need.task}__")), None)


def _numbers(parsed: ParsedDocument) -> Iterator[Finding]:
    """Errors for numbers that JSON does not have: every parameter is recorded as JSON."""
    for i, task in _sound(parsed):
        for name, value in task.params.items():
            if parsed.locations and _has_no_json(value):
                message = f"the parameter '{name}' contains .inf or .nan, which cannot be recorded"
                yield _at(parsed, parsed.locations.param(i, name), message, "invalid-value")
        if parsed.locations and isinstance(task.for_each, tuple) and _has_no_json(task.for_each):
            message = "the list contains .inf or .nan, which cannot be recorded"
            yield _at(parsed, (*parsed.locations.task(i), "for_each"), message, "invalid-value")


def _changed_numbers(parsed: ParsedDocument) -> Iterator[Finding]:
    """Warnings about numbers whose text is lost, in all data that tasks receive."""
    source, locations = parsed.source, parsed.locations
    if locations is None or not source.changes_numbers:
        return
    for param in parsed.dag.params:
        if param.type not in ("integer", "number"):  # these are meant as numbers
            yield from changed_numbers(source, param.default, locations.default(param.name))
            yield from changed_numbers(
                source, param.enum, (*locations.document("params"), param.name, "enum")
            )
    for i, task in _sound(parsed):
        for name, value in task.params.items():
            yield from changed_numbers(source, value, locations.param(i, name))
        if isinstance(task.for_each, tuple):
            yield from changed_numbers(source, task.for_each, (*locations.task(i), "for_each"))


def _has_no_json(value: Any) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, Mapping):
        return any(map(_has_no_json, value.values()))
    return isinstance(value, list | tuple) and any(map(_has_no_json, value))


def _workflows(parsed: ParsedDocument, registry: Registry) -> Iterator[Finding]:
    called = ((i, task, workflow_of(task)) for i, task in _sound(parsed))
    calls = [(i, task, ref) for i, task, ref in called if ref is not None]
    if not calls or not parsed.locations:
        return
    missing = any(ref not in registry.workflows for _, _, ref in calls)
    # Only a file that was listed, and may define the missing workflow, is an error. Otherwise the DAG does not need it.
    to_blame = [failure for failure in registry.failures if missing and failure.origin.listed]
    for failure in registry.failures:
        message = f"cannot read workflows from {failure.origin}: {failure.error}"
        level = "error" if failure in to_blame else "warning"
        yield _at(parsed, (), message, "unreadable-workflows", level=level)
    reported: set[str] = set()
    for i, task, ref in calls:
        workflow = registry.workflows.get(ref)
        if workflow is not None:
            yield from _signature(parsed, i, task, workflow)
        elif not to_blame or ref not in reported:
            reported.add(ref)
            yield _at(
                parsed, parsed.locations.action(i), f"RunnerError: Unknown workflow: {ref}", "unknown-workflow",
                suggestion=_where_it_may_be(ref, registry, to_blame),
            )  # fmt: skip


def _where_it_may_be(ref: str, registry: Registry, unread: Sequence[Failure]) -> str:
    if unread:
        return f"it may be defined in {unread[0].origin}, which cannot be read"
    return did_you_mean(ref, registry.workflows) or (
        "`dagrun workflows` lists the registered workflows, `--workflows FILE` adds more"
    )


def _signature(parsed: ParsedDocument, i: int, task: Task, workflow: Workflow) -> Iterator[Finding]:
    assert parsed.locations is not None
    names = [parameter.name for parameter in workflow.parameters]
    if not workflow.takes_rest:
        for name in task.params:
            if name not in names:
                takes = ", ".join(names) or "none"
                yield _at(
                    parsed, parsed.locations.param(i, name),
                    f"workflow '{workflow.name}' has no parameter '{name}'", "unknown-parameter",
                    suggestion=did_you_mean(name, names) or f"it takes: {takes}", key=True,
                )  # fmt: skip
    for parameter in workflow.parameters:
        if "params" in parsed.misspelt.get(i, ()):
            break
        given = parameter.name in task.params or _supplier(task, parameter.name)
        if parameter.required and not given:
            yield _at(
                parsed, parsed.locations.action(i),
                f"workflow '{workflow.name}' needs the parameter '{parameter.name}'", "missing-parameter",
                suggestion=f"add it to the '{parsed.locations.param(i, parameter.name)[-2]}' of '{task.id}'",
            )  # fmt: skip
