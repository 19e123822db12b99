"""Laws of trees of runs, for documents that are drawn: how each run ends, what a journal says, and what a resume repeats."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from dagrun import settings
from dagrun.app.service import Service
from dagrun.clock import SteadyClock
from dagrun.core.events import TaskOk, TaskStart
from dagrun.core.outcomes import FINAL, RunStatus
from dagrun.core.record import replay
from dagrun.executors.inline import InlineExecutor
from dagrun.registry import Registry
from dagrun.runtime.run_request import RunRequest
from dagrun.storage.memory import MemoryRun, MemoryRuns
from dagrun.views.status import RunView

BELOW = {"top": ["mid", "low"], "mid": ["low"], "low": []}


@st.composite
def documents(draw: st.DrawFn) -> dict[str, str]:
    """Three documents, of which each may run those after it."""
    return {name: json.dumps(draw(document(name))) for name in BELOW}


@st.composite
def document(draw: st.DrawFn, name: str) -> dict[str, Any]:
    tasks: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, 4))):
        task: dict[str, Any] = {"id": f"{name}{number}"}
        kind = draw(st.sampled_from(["good", "bad", *BELOW[name] * 2]))
        if kind in BELOW:
            task["dag"] = kind
        else:
            task |= {"run": "x", "params": {"fails": kind == "bad"}}
        if tasks:
            above = [each["id"] for each in tasks]
            task["depends_on"] = draw(st.lists(st.sampled_from(above), unique=True, max_size=2))
            task["trigger"] = draw(
                st.sampled_from(["success", "success", "always", "failure", "none_failed"])
            )
        if draw(st.booleans()):
            task |= {"retries": 1, "retry": {"initial": 0}}
        task["continue_on_failure"] = draw(st.sampled_from([False, False, True]))
        if draw(st.integers(0, 4)) == 0:
            task["matrix"] = {"x": ["a", "b"]}
        tasks.append(task)
    return {"name": name, "on_error": "continue", "max_parallel": draw(st.integers(1, 3)), "tasks": tasks}


class Recorder:
    """Every line of every journal in the order in which they were written."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lines: list[tuple[str, bytes]] = []
        flush = MemoryRun.flush

        def recorded(run: MemoryRun) -> None:
            before = len(run.journal)
            flush(run)
            self.lines += [(run.run_id, line) for line in run.journal[before:]]

        monkeypatch.setattr(MemoryRun, "flush", recorded)


class Bodies(InlineExecutor):
    """Bodies that fail if their parameters say so. `ran` counts the attempts of each task of each run."""

    def __init__(self) -> None:
        super().__init__()
        self.ran: Counter[tuple[str, str]] = Counter()

    def start(self, work: Any, done: Any) -> None:
        self.ran[work.attempt.run_id, work.attempt.task_id] += 1
        self.bodies[work.attempt.task_id] = _fail if work.params.get("fails") else lambda _: {"k": 1}
        super().start(work, done)


def _fail(_: object) -> None:
    raise RuntimeError("boom")


class World:
    """A project with these documents and runs in memory."""

    def __init__(self, root: Path, texts: dict[str, str], runs: MemoryRuns) -> None:
        (root / "dagrun.toml").touch()
        (root / "configs/dags").mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (root / f"configs/dags/{name}.yaml").write_text(text)
        self.executor, self.runs = Bodies(), runs
        self.service = Service(
            settings.load(start=root), runs, SteadyClock(), lambda: self.executor, Registry
        )

    def run(self) -> None:
        asyncio.run(self.service.run(self.service.documents.prepare(RunRequest(dag="top")), "top"))

    def outcome(self, run_id: str = "top") -> Any:
        """How each task has ended, and how those of its child run have."""
        view: RunView = self.service.status(run_id)
        return view.status, {
            task.id: (task.status, task.reason, task.child_run_id and self.outcome(task.child_run_id))
            for task in view.tasks
        }


@given(documents(), st.data())
@examples(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_run_of_a_tree_ends_and_a_resume_after_any_prefix_ends_in_the_same_way(
    monkeypatch: pytest.MonkeyPatch, texts: dict[str, str], data: st.DataObject
) -> None:
    with monkeypatch.context() as patch, tempfile.TemporaryDirectory() as where:
        patch.chdir(where)
        recorder = Recorder(patch)
        world = World(Path(where), texts, MemoryRuns())
        world.run()
        whole = world.outcome()
        for run_id, run in world.runs.runs.items():
            record = world.runs.read(run_id)
            state = replay(record)
            assert not run.live
            assert state.status in (RunStatus.SUCCESS, RunStatus.PARTIAL, RunStatus.FAILED)
            assert all(task.status in FINAL and task.reason for task in state.tasks)

        cut = data.draw(st.integers(1, len(recorder.lines)))
        left = MemoryRuns()
        for run_id, line in recorder.lines[:cut]:
            if run_id not in left.runs:
                left.runs[run_id] = MemoryRun(run_id, world.runs.runs[run_id].dag)
                left.runs[run_id].live = False
            left.runs[run_id].journal.append(line)
        again = World(Path(where), texts, left)
        good = {
            (run_id, event.task_id)
            for run_id in left.runs
            for event in left.read(run_id).events
            if isinstance(event, TaskOk) and event.summary is None
        }
        unended = {
            task.child_run_id
            for run_id in left.runs
            for task in replay(left.read(run_id)).tasks
            if task.child_run_id in left.runs and task.status not in FINAL
        }
        resumed = {run_id: len(run.journal) for run_id, run in left.runs.items()}
        asyncio.run(again.service.resume("top"))
        assert again.outcome() == whole
        assert not good & set(again.executor.ran), "a task that had succeeded ran again"
        opened = {
            event.child_run_id
            for run_id in left.runs
            for event in left.read(run_id).events[resumed.get(run_id, 0) :]
            if isinstance(event, TaskStart)
        }
        assert unended <= opened, "a child run that had not ended was not continued"
