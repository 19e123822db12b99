"""What the unit tests share: DAGs in one line, and the findings of a text as a person sees them."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import strategies as st

from dagrun.core.graph import Graph
from dagrun.core.hooks import KEYS, id_of
from dagrun.core.model import Action, Dag, Dependency, Hook, Matrix, Task
from dagrun.core.variants import variant_id, variants
from dagrun.documents.dialects import detect
from dagrun.documents.validation.check import check
from dagrun.documents.yaml import DocumentError, Source, render
from dagrun.kinds.approval import ApprovalAction
from dagrun.kinds.shell import ShellAction
from dagrun.kinds.wait import WaitAction
from dagrun.kinds.workflow import WorkflowAction
from dagrun.registry import Origin, Parameter, Registry, Workflow
from dagrun.testing import InlineExecutor, ScenarioResult, run

HERE = Origin("module", "flows")


def task(name: str, *needs: str, **more: Any) -> Task:
    """A task that does nothing and depends on `needs`."""
    more.setdefault("action", ShellAction(("true",)))
    return Task(id=name, needs=tuple(Dependency(need) for need in needs), **more)


def names_of(task: Task) -> list[str]:
    """The ids of what has attempts: the task's own, or those of its variants."""
    if task.matrix is not None:
        return [variant_id(task.id, key) for key in variants(task.matrix)]
    if isinstance(task.for_each, tuple):
        return [variant_id(task.id, str(number)) for number in range(len(task.for_each))]
    return [task.id]


@st.composite
def shapes(draw: st.DrawFn) -> dict[str, Any]:
    """What makes a task several, or nothing; a list may also turn out to be none."""
    axis = draw(st.integers(1, 3))
    return draw(
        st.sampled_from(
            [
                *[{}] * 4,
                {"matrix": Matrix(axes={"x": tuple("abc"[:axis])}), "max_parallel": draw(st.sampled_from([None, 1, 2]))},
                {"for_each": tuple("abc"[: axis - 1]), "max_parallel": draw(st.sampled_from([None, 1, 2]))},
                {"for_each": "${{ 5 }}"},
            ]
        )
    )  # fmt: skip


@st.composite
def hooks(draw: st.DrawFn) -> tuple[Hook, ...]:
    """Hooks for some ends of a run; often there are none."""
    names = draw(st.sampled_from([(), (), ("on_exit",), KEYS, ("on_failure", "project.on_exit", "on_exit")]))
    action = WorkflowAction("w")
    return tuple(
        Hook(
            on=name.removeprefix("project."),
            of_project="." in name,
            task=Task(id=id_of(name), action=action, timeout=9.0),
        )
        for name in names
    )


#: Actions of tasks that wait: for a person, for signals, for a time, for a file that never comes.
WAITS: st.SearchStrategy[Action] = st.sampled_from(
    [
        ApprovalAction("go on?"),
        ApprovalAction("go on?"),
        WaitAction(signal_name="go"),
        WaitAction(signal_name="stop", timeout=400_000.0),
        WaitAction(seconds=3.0),
        WaitAction(file="/nowhere/at/all", timeout=2.0),
    ]
)


def chain(text: str) -> Dag:
    """`z; a; m<-a; b<-z` as a DAG."""
    tasks = []
    for part in text.split(";"):
        name, _, needs = part.strip().partition("<-")
        tasks.append(task(name, *needs.split(",")) if needs else task(name))
    return Dag(name="letters", tasks=tuple(tasks))


def graph(text: str) -> Graph:
    """The same, compiled."""
    return Graph.compile(chain(text))


def workflow(name: str, *parameters: Parameter, rest: bool = False) -> Workflow:
    """A registered workflow as data."""
    return Workflow(name, "", parameters, rest, HERE, "flows.py:1")


def registry(*workflows: Workflow) -> Registry:
    """A registry of them."""
    return Registry({each.name: each for each in workflows})


def load(text: str, known: Registry | None = None, *, name: str | None = None) -> tuple[Dag | None, str]:
    """What a document means, and its findings rendered as `dagrun validate` shows them."""
    source = Source.inline(textwrap.dedent(text).strip("\n") + "\n", "dag.yaml")
    try:
        data = source.load()
    except DocumentError as error:
        return None, "\n".join(render(finding, source) for finding in error.findings)
    written = detect.to_dag(data, source, name)
    findings = [*written.findings, *check(written, known)]
    return written.dag, "\n".join(render(finding, source) for finding in findings)


def reported(text: str, known: Registry | None = None, *, name: str | None = "my_dag") -> str:
    """The findings of a document."""
    return load(text, known, name=name)[1]


def read(text: str, known: Registry | None = None, *, name: str | None = "my_dag") -> Dag:
    """The DAG of a document without findings."""
    dag, findings = load(text, known, name=name)
    assert findings == ""
    assert dag is not None
    return dag


def shown(text: str) -> str:
    """An expected text, written with the indentation of the test around it."""
    return textwrap.dedent(text).strip("\n")


def env(**values: str) -> Mapping[str, str]:
    """An environment."""
    return values


def played(
    *tasks: Task, bodies: Mapping[str, Callable[[dict[str, Any]], Any]] | None = None, **more: Any
) -> ScenarioResult:
    """A run of these tasks in memory; `more` goes to the DAG, but for `at` and `params`."""
    outside = {name: more.pop(name) for name in ("at", "params", "answers") if name in more}
    dag = Dag(name="d", tasks=tasks, **more)
    return asyncio.run(run(dag, InlineExecutor(bodies), **outside))
