"""Dag and registry to findings: everything that is wrong with a document beyond the shape of its nodes."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
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
from dagrun.errors import did_you_mean
from dagrun.kinds import kind_of, workflow_of

if TYPE_CHECKING:
    from dagrun.registry import Failure, Registry, Workflow

MOST_IN_A_CYCLE = 20  # members that a message names
FEW_TASKS = 10
MOST_OF_A_KIND = 200  # errors of one kind that are reported


def check(written: ParsedDocument, registry: Registry | None) -> list[Finding]:
    """Every finding about what a document means, in the document's order. Costs O(tasks + edges).

    Without a registry (None) nothing is said about workflows.
    """
    rings = list(_cycles(written))
    found = [
        *_first(_duplicates(written)),
        *_first(_dangling(written)),
        *rings,
        *(() if rings else _first(check_parallel(written))),
        *_declarations(written),
        *_parameters(written),
        *_numbers(written),
        *_changed_numbers(written),
        *_first(check_expressions(written)),
        *_bash_in_sh(written),
    ]
    if not any(finding.level == "error" for finding in (*written.findings, *found)):
        found += check_reachability(written)
    if registry is not None:
        found += _workflows(written, registry)
    once: dict[tuple[Place, str], Finding] = {}
    for finding in found:  # what `defaults` says wrongly is wrong in every task
        once.setdefault((finding.place, finding.message), finding)
    return sorted(once.values(), key=lambda finding: (finding.place.line, finding.place.column))


def _first(findings: Iterator[Finding]) -> Iterator[Finding]:
    """The findings of one kind, up to a number: each may cost a look at all tasks, for what was meant."""
    found = list(islice(findings, MOST_OF_A_KIND + 1))
    if len(found) > MOST_OF_A_KIND:
        last = found[MOST_OF_A_KIND]
        message = f"there are more errors like the {MOST_OF_A_KIND} above; correct those first"
        found[MOST_OF_A_KIND] = replace(last, message=message, suggestion="")
    return iter(found)


def _sound(written: ParsedDocument) -> Iterator[tuple[int, Task]]:
    """The tasks that could be read."""
    return ((i, task) for i, task in enumerate(written.dag.tasks) if i not in written.broken)


def _at(
    written: ParsedDocument, path: tuple[str | int, ...], message: str, code: str, **more: Any
) -> Finding:
    key = more.pop("key", False)
    return Finding(written.source.place(path, key=key), message, code, **more)


def _duplicates(written: ParsedDocument) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    told: set[str] = set()
    for i, task in enumerate(written.dag.tasks):
        if task.id in seen and task.id not in told and written.locations:
            told.add(task.id)
            first = written.source.place(written.locations.task(seen[task.id])).line
            yield _at(
                written, written.locations.name(i), f"ValidationError: Duplicate task IDs found: {task.id}",
                "duplicate-id", suggestion=f"the first one is in line {first}",
            )  # fmt: skip
        seen.setdefault(task.id, i)


def _dangling(written: ParsedDocument) -> Iterator[Finding]:
    tasks = written.dag.tasks
    byname = {task.id: task for task in tasks}
    known = {**byname, **variant_ids(tasks)}
    unread = {tasks[i].id for i in written.broken}
    for i, task in enumerate(tasks):
        for need in task.needs:
            if need.task not in known and need.task.partition("[")[0] not in unread and written.locations:
                yield _at(
                    written, written.locations.edge(i, need.task),
                    f"ValidationError: Task '{task.id}' depends on non-existent task '{need.task}'",
                    "unknown-task", suggestion=_near(need.task, task.id, known, byname),
                )  # fmt: skip


#: Scripts without any of these have no bash syntax in them: what reads shell is not even imported.
_BASH: Final = re.compile(
    r"\[\[|\(\(|[&|]>|\|&|;;?&|<<<|[<>]\(|>&|=\(|\+=|\]=|==|\$'|\$\[|\$\{[!\w]*[\[/^,:@]|\$\{!|\{[^\s{}]*(?:,|\.\.)|\{\w+\}[<>]|pipefail"
    r"|\b(?:function|source|local|declare|typeset|let|shopt|mapfile|readarray|pushd|popd|dirs|enable|builtin|caller|compgen"
    r"|complete|disown|select|coproc|echo|read|printf|test|exec|wait|type|export|readonly|trap)\b"
)


def _bash_in_sh(written: ParsedDocument) -> Iterator[Finding]:
    """Bash syntax in scripts for `sh`, each kind once in a script. Tasks may share one script."""
    locations = written.locations
    known: dict[ScriptText, list[tuple[int, int, str]]] = {}
    if locations is None:
        return
    scripts = ((i, text) for i, task in _sound(written) for text in task.action.texts())
    for i, script in scripts:
        # as most have nothing of it
        if not isinstance(script, ScriptText) or not any(map(_BASH.search, script.parts)):
            continue
        from dagrun.kinds.interpreter import interpreter

        if interpreter(script).shell not in ("sh", "dash"):
            continue
        if script not in known:
            known[script] = list(_bashisms(script))
        for number, offset, what in known[script]:
            yield Finding(
                written.source.place_within(locations.script(i, number), offset),
                f"{what if what.startswith('an ') else f'`{what}`'} is bash syntax, which sh may read as something else",
                "bash-syntax",
                "write shell: bash", "warning",
            )  # fmt: skip


def _bashisms(script: ScriptText) -> Iterator[tuple[int, int, str]]:
    """Number of the command, offset in it, and what it is."""
    from dagrun.kinds.script import joined, offsets
    from dagrun.language.scripts import bashisms  # what reads shell, 5 ms

    starts = list(offsets(script))
    for each in bashisms(joined(script)):
        number = bisect_right(starts, each.offset) - 1
        yield number, each.offset - starts[number], each.what


def _near(name: str, own: str, known: Collection[str], tasks: Mapping[str, Task]) -> str:
    """What the task `own` meant: another task of nearly that name; or the variants, when the task is right."""
    base, bracket, _ = name.partition("[")
    if not bracket or base not in tasks:
        few = ", ".join(task for task in islice(tasks, FEW_TASKS + 1) if task != own)
        few = f"there is {few}" if few and len(tasks) <= FEW_TASKS + 1 else ""
        return did_you_mean(name, [each for each in known if each != own]) or few
    siblings = [each for each in known if each.startswith(base + "[")]
    if tasks[base].for_each is not None:
        return f"which variants '{base}' has is known only in the run: name '{base}' alone"
    if not siblings:
        return f"'{base}' has no variants: name it alone"
    return meant(name, siblings)


def _cycles(written: ParsedDocument) -> Iterator[Finding]:
    tasks = written.dag.tasks
    last = {task.id: i for i, task in enumerate(tasks)} | variant_ids(tasks)
    # Where every task stands below all that it needs, as most are written, there is no cycle to look for.
    if all(last.get(need.task, -1) < i for i, task in enumerate(tasks) for need in task.needs):
        return
    needs = {
        task.id: {tasks[last[need.task]].id: need.task for need in task.needs if need.task in last}
        for task in tasks
    }
    twice = {task.id for i, task in enumerate(tasks) if last[task.id] != i}  # told as that
    for ring in cycles({task: list(deps) for task, deps in needs.items()}):
        if written.locations and twice.isdisjoint(ring):
            yield _at(
                written, written.locations.edge(last[ring[0]], needs[ring[0]][ring[1]]),
                f"CycleDetectedError: Cycle detected in DAG '{written.dag.name}': {_chain(ring)}",
                "cycle", suggestion=_way_out(ring, last, needs, written.locations),
            )  # fmt: skip


def _way_out(
    ring: list[str], last: Mapping[str, int], needs: Mapping[str, Mapping[str, str]], locations: Locations
) -> str:
    """What to do about a cycle. One of its dependencies may be written nowhere: that of a job that waits for all."""
    for task, dep in pairwise(ring):
        if locations.edge(last[task], needs[task][dep]) == locations.trigger(last[task]):
            return f"'{task}' does not say what it waits for, so it waits for all others: give it 'requires' or 'after'"
    return "each depends on the next; take one of these dependencies out"


def _chain(ring: list[str]) -> str:
    if len(ring) > MOST_IN_A_CYCLE + 1:
        left = len(ring) - 1 - MOST_IN_A_CYCLE
        ring = [*ring[: MOST_IN_A_CYCLE // 2], f"({left} more)", *ring[-MOST_IN_A_CYCLE // 2 - 1 :]]
    return " -> ".join(ring)


def _declarations(written: ParsedDocument) -> Iterator[Finding]:
    for param in written.dag.params:
        problem = problem_with_default(param)
        if problem and written.locations:
            yield _at(written, (*written.locations.document("params"), param.name), problem, "invalid-value")


def _parameters(written: ParsedDocument) -> Iterator[Finding]:
    for i, task in _sound(written):
        if not task.params or not written.locations:
            continue
        for name in task.params:
            if upstream := _supplier(task, name):
                yield _at(
                    written, written.locations.param(i, name),
                    f"an output of '{upstream}' would win over the parameter '{name}'",
                    "shadowed-parameter", level="warning", key=True,
                )  # fmt: skip
        if kind_of(task).params_in_environment:
            owners: dict[str, str] = {}
            for name in task.params:
                variable = parameter_variable(name)
                if variable is None:
                    yield _at(
                        written, written.locations.param(i, name),
                        f"the parameter '{name}' gives no environment variable: it is only in $DAGRUN_PARAMS_FILE",
                        "no-variable", suggestion="use letters, digits, '_', '-' and '.'", level="warning", key=True,
                    )  # fmt: skip
                    continue
                if variable in owners:
                    yield _at(
                        written, written.locations.param(i, name),
                        f"parameters '{owners[variable]}' and '{name}' would both set ${variable}",
                        "variable-collision", suggestion="rename one of them", key=True,
                    )  # fmt: skip
                owners[variable] = name


def _supplier(task: Task, name: str) -> str | None:
    """The dependency that would supply a parameter: outputs arrive as `<task>__<key>`."""
    if "__" not in name:  # as most have not, and there may be many dependencies
        return None
    return next((need.task for need in task.needs if name.startswith(f"{need.task}__")), None)


def _numbers(written: ParsedDocument) -> Iterator[Finding]:
    """YAML has numbers that JSON has not, and every parameter is recorded as JSON."""
    for i, task in _sound(written):
        for name, value in task.params.items():
            if written.locations and _has_no_json(value):
                message = f"the parameter '{name}' holds .inf or .nan, which cannot be recorded"
                yield _at(written, written.locations.param(i, name), message, "invalid-value")
        if written.locations and isinstance(task.for_each, tuple) and _has_no_json(task.for_each):
            message = "the list holds .inf or .nan, which cannot be recorded"
            yield _at(written, (*written.locations.task(i), "for_each"), message, "invalid-value")


def _changed_numbers(written: ParsedDocument) -> Iterator[Finding]:
    """Numbers whose text is lost, in whatever is handed to a task as data."""
    source, locations = written.source, written.locations
    if locations is None or not source.changes_numbers:
        return
    for param in written.dag.params:
        if param.type not in ("integer", "number"):  # there a number is meant
            yield from changed_numbers(source, param.default, locations.default(param.name))
            yield from changed_numbers(
                source, param.enum, (*locations.document("params"), param.name, "enum")
            )
    for i, task in _sound(written):
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


def _workflows(written: ParsedDocument, registry: Registry) -> Iterator[Finding]:
    called = ((i, task, workflow_of(task)) for i, task in _sound(written))
    calls = [(i, task, ref) for i, task, ref in called if ref is not None]
    if not calls or not written.locations:
        return
    missing = any(ref not in registry.workflows for _, _, ref in calls)
    # It may be where a missing workflow was to come from; else this DAG can do without it.
    to_blame = [failure for failure in registry.failures if missing and failure.origin.listed]
    for failure in registry.failures:
        message = f"cannot read workflows from {failure.origin}: {failure.error}"
        level = "error" if failure in to_blame else "warning"
        yield _at(written, (), message, "unreadable-workflows", level=level)
    told: set[str] = set()
    for i, task, ref in calls:
        workflow = registry.workflows.get(ref)
        if workflow is not None:
            yield from _signature(written, i, task, workflow)
        elif not to_blame or ref not in told:
            told.add(ref)
            yield _at(
                written, written.locations.action(i), f"RunnerError: Unknown workflow: {ref}", "unknown-workflow",
                suggestion=_where_it_may_be(ref, registry, to_blame),
            )  # fmt: skip


def _where_it_may_be(ref: str, registry: Registry, unread: Sequence[Failure]) -> str:
    if unread:
        return f"it may be in {unread[0].origin}, which cannot be read"
    return did_you_mean(ref, registry.workflows) or (
        "`dagrun workflows` lists those that are registered, `--workflows FILE` adds some"
    )


def _signature(written: ParsedDocument, i: int, task: Task, workflow: Workflow) -> Iterator[Finding]:
    assert written.locations is not None
    names = [parameter.name for parameter in workflow.parameters]
    if not workflow.takes_rest:
        for name in task.params:
            if name not in names:
                takes = ", ".join(names) or "none"
                yield _at(
                    written, written.locations.param(i, name),
                    f"workflow '{workflow.name}' has no parameter '{name}'", "unknown-parameter",
                    suggestion=did_you_mean(name, names) or f"it takes: {takes}", key=True,
                )  # fmt: skip
    for parameter in workflow.parameters:
        if "params" in written.misspelt.get(i, ()):
            break
        given = parameter.name in task.params or _supplier(task, parameter.name)
        if parameter.required and not given:
            yield _at(
                written, written.locations.action(i),
                f"workflow '{workflow.name}' needs the parameter '{parameter.name}'", "missing-parameter",
                suggestion=f"add it to the '{written.locations.param(i, parameter.name)[-2]}' of '{task.id}'",
            )  # fmt: skip
