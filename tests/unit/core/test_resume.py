"""Cancel, resume and rerun in memory: what is kept, what runs, what is refused."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from dagrun.app.run_inputs import GivenParams
from dagrun.core.events import DagResume, DagStart, TaskOk, TaskRetry, TaskStart
from dagrun.core.model import Dag, Dependency, OnError, Param, Retry, Task
from dagrun.core.record import RunRecord, replay
from dagrun.core.resume import remainder, reuse
from dagrun.core.selection import Selection
from dagrun.core.state import RunState
from dagrun.errors import NotFoundError, RefusedError, UsageError
from dagrun.kinds.workflow import WorkflowAction
from dagrun.storage.files import FileRuns
from dagrun.storage.inbox import Inbox
from dagrun.storage.memory import MemoryRuns
from dagrun.testing import HANG
from dagrun.value import replace
from tests.unit.lives import Body, Life

CALL = WorkflowAction("w")


def call(name: str, *needs: str, **more: Any) -> Task:
    return Task(id=name, action=CALL, needs=tuple(map(Dependency, needs)), **more)


def dag(*tasks: Task, **more: Any) -> Dag:
    return Dag(name="d", tasks=tasks, **{"on_error": OnError.CONTINUE, "max_parallel": 1, **more})


class World:
    """What bodies find; the same for every stretch of a run."""

    def __init__(self) -> None:
        self.broken = {"b"}
        self.ran: list[str] = []

    def bodies(self) -> dict[str, Body]:
        def body(name: str) -> Body:
            def run(_: dict[str, Any]) -> Any:
                self.ran.append(name)
                if name in self.broken:
                    raise RuntimeError("broken")
                return {"k": name}

            return run

        return {name: body(name) for name in "abcde"}


CHAIN = dag(call("a"), call("b", "a", retry=Retry(retries=1)), call("c", "b"))


def lived(what: Dag = CHAIN, world: World | None = None, **more: Any) -> tuple[Life, World]:
    """A run that has had its first stretch."""
    world = world or World()
    life = Life(what, world.bodies, **more)
    life.begin()
    return life, world


# --- resume -----------------------------------------------------------------------------------------------------


def test_a_failed_run_goes_on_where_it_failed() -> None:
    life, world = lived()
    assert life.folded().status == "partial"
    world.broken.clear()
    ended = life.resume()
    assert ended is not None
    assert ended.view.status == "success"
    assert world.ran == ["a", "b", "b", "b", "c"]
    assert life.executors[-1].params["b"] == {"a__k": "a"}


def test_attempts_are_numbered_on_and_the_retries_begin_anew() -> None:
    life, _ = lived()
    life.resume()
    life.resume()
    starts = [event.attempt for event in life.events if isinstance(event, TaskStart) and event.task_id == "b"]
    assert starts == [1, 2, 3, 4, 5, 6]
    assert life.names().count("task_retry b") == 3
    delays = {event.delay_seconds for event in life.events if isinstance(event, TaskRetry)}
    assert max(delays) < 0.5, "each stretch's first retry waits as long as a first retry does"


def test_a_resume_says_what_is_kept_and_what_runs() -> None:
    life, _ = lived()
    life.resume()
    [resume] = [event for event in life.events if isinstance(event, DagResume)]
    assert (resume.reused, resume.rerun) == (["a"], ["b", "c"])


def test_a_run_that_ended_well_has_nothing_left_to_resume() -> None:
    world = World()
    world.broken.clear()
    life, _ = lived(world=world)
    before = list(life.run.journal)
    assert life.resume() is None
    assert life.run.journal == before
    assert not life.run.live


def test_a_live_run_is_not_resumed() -> None:
    life, _ = lived()
    writer = life.runs.take_over("r")
    with pytest.raises(RefusedError, match="is being run by another process"):
        life.resume()
    writer.close()


def test_a_refused_resume_changes_nothing_and_holds_nothing() -> None:
    life, _ = lived()
    life.run.dag = dag(call("a"), Task(id="b", action=WorkflowAction("gone"), needs=(Dependency("a"),)))
    before = list(life.run.journal)
    with pytest.raises(Exception, match="Unknown workflow: gone"):
        life.resume()
    assert life.run.journal == before
    assert not life.run.live


def test_the_runs_timeout_counts_anew_in_every_stretch() -> None:
    life = Life(dag(call("a"), timeout=60.0), lambda: {"a": lambda _: HANG})
    assert life.begin().view.reason == "RunTimeout"
    life.clock.advance(3600)
    resumed = life.clock.now()
    ended = life.resume()
    assert ended is not None
    assert (ended.view.reason, ended.view.duration) == ("RunTimeout", 60.0)
    assert life.clock.now() == resumed + 60


def test_a_timeout_ends_also_those_that_a_failure_had_spared() -> None:
    from dagrun.core.model import Trigger

    tasks = (call("b"), call("a", "b", trigger=Trigger.ALWAYS))
    life = Life(
        dag(*tasks, timeout=60.0, on_error=OnError.STOP_ALL),
        lambda: {"b": World().bodies()["b"], "a": lambda _: HANG},
    )
    view = life.begin().view
    assert (view.status, view.reason, view.duration) == ("failed", "RunTimeout", 60.0)
    assert [(task.status, task.reason) for task in view.tasks] == [
        ("failed", "TaskFailed"),
        ("cancelled", "RunTimeout"),
    ]


def test_the_parameters_are_those_of_the_first_stretch() -> None:
    what = dag(call("a", params={"x": "${{ params.x }}"}), params=(Param(name="x", default=1),))
    life = Life(what, lambda: {"a": lambda _: 1 / 0})
    life.begin(x=7)
    life.resume()
    assert life.executors[-1].params["a"] == {"x": 7}


def test_parameters_are_known_even_when_no_fact_is() -> None:
    what = dag(call("a", params={"x": "${{ params.x }}"}), params=(Param(name="x", required=True),))
    life = Life(what)
    life.begin(x=7)
    life = life.cut(0)
    life.resume()
    assert life.executors[-1].params["a"] == {"x": 7}
    assert life.names() == ["dag_start", "task_start a", "task_ok a", "dag_done"]


# --- parameters whose values were not recorded --------------------------------------------------------------------

SECRETIVE = replace(
    dag(call("a", params={"x": "${{ params.x }}"}), params=(Param(name="x"), Param(name="y"))),
    secrets=("TOKEN",),
)


@pytest.fixture
def secretive(monkeypatch: pytest.MonkeyPatch) -> Life:
    """A failed run with a secret in a parameter, and three asterisks in another."""
    monkeypatch.setenv("TOKEN", "s3cr3t")
    life = Life(SECRETIVE, lambda: {"a": lambda _: 1 / 0})
    prepared = life.service.documents.recorded(SECRETIVE, "", {"x": "Bearer s3cr3t", "y": "***"})
    asyncio.run(life.service.run(prepared, "r"))
    return life


@pytest.mark.parametrize("events", [0, 1, 3])
def test_a_run_with_a_value_that_was_not_recorded_is_not_resumed_without_it(
    secretive: Life, events: int
) -> None:
    life = secretive.cut(events)
    with pytest.raises(RefusedError, match="the value of parameter 'x' held a secret") as refused:
        life.resume()
    assert "-p x=VALUE" in refused.value.hint
    with pytest.raises(RefusedError, match="parameter 'x'"):
        asyncio.run(life.service.rerun("r", Selection()))
    assert len(life.names()) == events


@pytest.mark.parametrize("events", [0, 1, 3])
def test_a_value_that_is_given_again_is_used_and_masked_again(secretive: Life, events: int) -> None:
    life = secretive.cut(events)
    life.resume(given=GivenParams(params=["x=Bearer s3cr3t"]))
    assert life.executors[-1].params["a"] == {"x": "Bearer s3cr3t"}
    assert "s3cr3t" not in b"".join((*life.run.journal, *life.run.stream)).decode()
    with pytest.raises(RefusedError, match="parameter 'x'"):
        life.resume()


def test_a_value_that_a_scheduler_has_kept_need_not_be_given_again(secretive: Life) -> None:
    secretive.resume(given=GivenParams(kept={"x": "s3cr3t", "y": "other"}))
    assert secretive.executors[-1].params["a"] == {"x": "s3cr3t"}
    start = secretive.folded().start
    assert start is not None
    assert start.params == {"x": "Bearer ***", "y": "***"}


def test_a_value_that_is_given_anew_is_recorded(secretive: Life) -> None:
    secretive.resume(given=GivenParams(params=["x=plain"]))
    start = secretive.folded().start
    assert start is not None
    assert (start.params, start.masked_params) == ({"x": "plain", "y": "***"}, None)
    secretive.resume()
    assert secretive.executors[-1].params["a"] == {"x": "plain"}


def test_a_rerun_takes_values_anew(secretive: Life) -> None:
    asyncio.run(secretive.service.rerun("r", Selection(), "again", given=GivenParams(params=["x=s3cr3t"])))
    assert secretive.executors[-1].params["a"] == {"x": "s3cr3t"}
    start = secretive.runs.read("again").events[0]
    assert isinstance(start, DagStart)
    assert (start.params, start.masked_params) == ({"x": "***", "y": "***"}, ["x"])


def test_what_is_wrong_with_a_value_is_said_without_the_secret(secretive: Life) -> None:
    with pytest.raises(UsageError) as wrong:
        secretive.resume(given=GivenParams(params=["z=s3cr3t", "s3cr3t"]))
    assert "***" in wrong.value.message
    assert "s3cr3t" not in wrong.value.message


def test_the_reason_of_a_cancel_is_recorded_without_the_secret(secretive: Life) -> None:
    life = secretive.cut(2)
    life.service.cancel("r", "me", "s3cr3t is out")
    assert "*** is out" in b"".join(life.run.journal).decode()
    assert "s3cr3t" not in b"".join(life.run.journal).decode()


def test_a_request_that_was_not_read_is_answered_when_the_run_is_resumed() -> None:
    life, _ = lived()
    life = life.cut(3)
    life.request_cancel()
    life.resume()
    assert life.names()[3:5] == ["cancel_ignored", "dag_resume"]


def test_a_failure_that_happens_again_is_seen_through_what_was_kept() -> None:
    from dagrun.core.model import Trigger

    tasks = (call("b"), call("a", "b", trigger=Trigger.FAILURE), call("c", "a", trigger=Trigger.FAILURE))
    life, world = lived(dag(*tasks))
    whole = life.folded()
    life = life.cut(life.names().index("task_ok a") + 1)
    life.resume()
    assert world.ran[-2:] == ["b", "c"]
    assert [task.status for task in life.folded().tasks] == [task.status for task in whole.tasks]


# --- a document that has changed --------------------------------------------------------------------------------


def documents(tmp_path: Path, *tasks: dict[str, Any], **more: Any) -> None:
    text = json.dumps({"name": "d", "on_error": "continue", "tasks": list(tasks), **more})
    (tmp_path / "dag.yaml").write_text(text)


def test_the_recorded_dag_is_used_unless_the_current_one_is_requested(tmp_path: Path) -> None:
    life, world = Life(CHAIN, World().bodies, tmp_path), World()
    life.bodies = world.bodies
    documents(tmp_path, {"id": "a", "workflow_ref": "w"})
    life.begin("dag.yaml")
    notices: list[str] = []
    world.broken.clear()
    life.resume(notice=notices.append)
    assert notices == [
        "dag.yaml has changed since; the recorded DAG is used (--use-current takes the new one)"
    ]
    assert life.folded().status == "success"
    assert world.ran[-2:] == ["b", "c"]


def test_with_use_current_tasks_come_and_go_and_what_ended_well_is_kept(tmp_path: Path) -> None:
    world = World()
    life = Life(CHAIN, world.bodies, tmp_path)
    life.begin("dag.yaml")
    documents(
        tmp_path,
        {"id": "d", "workflow_ref": "w"},
        {"id": "a", "workflow_ref": "w", "params": {"new": 1}},
        {"id": "e", "workflow_ref": "w", "depends_on": ["a", "d"]},
    )
    world.ran.clear()
    ended = life.resume(use_current=True)
    assert ended is not None
    assert ended.view.status == "success"
    assert world.ran == ["d", "e"]
    assert life.executors[-1].params["e"] == {"a__k": "a", "d__k": "d"}
    assert [task.id for task in ended.view.tasks] == ["d", "a", "e"]
    assert life.service.status("r").corrupt == 0, "events of tasks that were deleted are no damage"
    assert life.resume(use_current=True) is None


def test_with_use_current_parameters_come_and_go(tmp_path: Path) -> None:
    what = dag(
        call("a", params={"x": "${{ params.x }}"}),
        params=(Param(name="x", default=1), Param(name="old", default=2)),
    )
    world = World()
    world.broken.add("a")
    life = Life(what, world.bodies, tmp_path)
    life.begin("dag.yaml", x=7, old=3)
    documents(
        tmp_path, {"id": "a", "workflow_ref": "w", "params": {"both": "${{ params.x }}${{ params.fresh }}"}},
        params={"x": 5, "fresh": 9},
    )  # fmt: skip
    life.resume(use_current=True)
    assert life.executors[-1].params["a"] == {"both": "79"}


def test_use_current_needs_a_document(tmp_path: Path) -> None:
    life = Life(CHAIN, World().bodies, tmp_path)
    life.begin("dag.yaml")
    with pytest.raises(NotFoundError):
        life.resume(use_current=True)
    assert not life.run.live


def test_a_document_that_has_become_invalid_does_not_hinder_a_resume(tmp_path: Path) -> None:
    life = Life(CHAIN, World().bodies, tmp_path)
    life.begin("dag.yaml")
    (tmp_path / "dag.yaml").write_text("tasks: [")
    notices: list[str] = []
    assert life.resume(notice=notices.append) is not None
    assert len(notices) == 1


# --- cancel -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", range(7))
def test_an_interrupted_run_is_cancelled_by_the_requesting_process(length: int) -> None:
    life, _ = lived()
    life = life.cut(length)
    life.cancel()
    assert life.names()[length] == "cancel_requested"
    assert life.names()[-1] == "dag_done"
    assert life.folded().status == "cancelled"


def test_a_cancel_after_the_end_is_recorded_and_ignored() -> None:
    life, _ = lived()
    before = life.folded()
    life.cancel()
    life.cancel()
    assert life.names()[-3:] == ["dag_done", "cancel_ignored", "cancel_ignored"]
    assert life.folded().status == before.status == "partial"


def test_all_who_asked_are_answered() -> None:
    life, _ = lived()
    life = life.cut(3)
    life.request_cancel()
    life.request_cancel()
    life.cancel()
    assert [name for name in life.names() if name.startswith("cancel")] == [
        "cancel_requested", "cancel_ignored", "cancel_ignored",
    ]  # fmt: skip


# --- rerun ------------------------------------------------------------------------------------------------------


def rerun(life: Life, **more: Any) -> tuple[str, list[str], list[str]]:
    """A rerun's status, what was taken over and what ran."""
    ended = asyncio.run(life.service.rerun("r", Selection(**more), "again"))
    events = life.runs.read("again").events
    taken = [event.task_id for event in events if isinstance(event, TaskOk) and event.reused_from == "r"]
    return ended.view.status, taken, [task for task, _ in life.executors[-1].started]


def test_a_rerun_of_everything_takes_nothing_over() -> None:
    life, world = lived()
    world.broken.clear()
    assert rerun(life) == ("success", [], ["a", "b", "c"])


def test_a_rerun_from_a_task_takes_over_what_is_above_it() -> None:
    life, world = lived()
    world.broken.clear()
    assert rerun(life, start=["b"]) == ("success", ["a"], ["b", "c"])
    assert life.executors[-1].params["b"] == {"a__k": "a"}
    start = life.runs.read("again").events[0]
    assert isinstance(start, DagStart)
    assert (start.trigger, start.parent_run_id) == ("rerun", "r")


def test_a_rerun_of_one_task_runs_also_what_it_needs_and_nobody_has() -> None:
    life, world = lived()
    world.broken.clear()
    assert rerun(life, only=["c"]) == ("success", ["a"], ["b", "c"])


def test_a_rerun_of_one_task_keeps_what_is_below_it() -> None:
    world = World()
    world.broken.clear()
    life, _ = lived(world=world)
    assert rerun(life, only=["a"]) == ("success", ["b", "c"], ["a"])


def test_a_rerun_with_a_taken_id_or_an_unknown_task_is_refused() -> None:
    life, _ = lived()
    with pytest.raises(RefusedError, match="the run id 'r' is taken"):
        asyncio.run(life.service.rerun("r", Selection(), "r"))
    with pytest.raises(NotFoundError, match="task 'ghost' not found"):
        asyncio.run(life.service.rerun("r", Selection(start=["ghost"])))
    assert list(life.runs.ids()) == ["r"]


def test_a_rerun_that_was_cut_off_is_resumed_with_what_it_had_taken_over() -> None:
    life, world = lived()
    rerun(life, start=["b"])
    world.broken.clear()
    world.ran.clear()
    ended = asyncio.run(life.service.resume("again"))
    assert ended is not None
    assert ended.view.status == "success"
    assert world.ran == ["b", "c"]


def test_reuse_is_of_what_ended_well_alone() -> None:
    life, _ = lived()
    record: RunRecord = life.runs.read("r")
    assert [result.task_id for result in reuse(record, CHAIN, Selection(only=["c"])).results] == ["a"]
    assert remainder(replay(record)).reused == ["a"]
    assert isinstance(replay(record), RunState)


# --- the inbox, and runs that were never born -------------------------------------------------------------------


def test_a_request_is_gone_only_when_it_has_been_dealt_with(tmp_path: Path) -> None:
    from dagrun.core.requests import Request

    box = Inbox(tmp_path / "inbox")
    box.put(Request("cancel", "me", {}))
    for _ in box.take():
        break  # the process that read it was killed here
    assert [request.by for request in Inbox(tmp_path / "inbox").take()] == ["me"]
    assert list(Inbox(tmp_path / "inbox").take()) == []


def test_requests_of_one_moment_are_all_taken(tmp_path: Path) -> None:
    from dagrun.core.requests import Request

    box = Inbox(tmp_path / "inbox")
    for number in range(200):  # a file system's clock ticks every 4 ms
        box.put(Request("cancel", str(number), {}))
        assert [request.by for request in box.take()] == [str(number)]


def test_an_empty_directory_is_no_run_and_does_not_take_its_id(tmp_path: Path) -> None:
    runs = FileRuns(tmp_path / "runs", tmp_path / "events.jsonl")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/it").mkdir(mode=0o700)
    assert list(runs.ids()) == []
    runs.create(CHAIN, 0.0, "it").close()
    assert list(runs.ids()) == ["it"]


def test_a_directory_with_somebodys_files_is_not_taken_for_a_run_that_died(tmp_path: Path) -> None:
    runs = FileRuns(tmp_path / "runs", tmp_path / "events.jsonl")
    (tmp_path / "runs/it").mkdir(parents=True)
    (tmp_path / "runs/it/thesis.tex").write_text("x")
    with pytest.raises(RefusedError):
        runs.create(CHAIN, 0.0, "it")
    assert (tmp_path / "runs/it/thesis.tex").exists()


def test_a_run_that_is_abandoned_was_never_there(tmp_path: Path) -> None:
    for runs in (FileRuns(tmp_path / "runs", tmp_path / "events.jsonl"), MemoryRuns()):
        runs.create(CHAIN, 0.0, "it").discard()
        assert list(runs.ids()) == []
        runs.create(CHAIN, 0.0, "it").close()


def test_nothing_is_written_to_a_journal_that_was_removed(tmp_path: Path) -> None:
    from dagrun.core.events import CancelRequested
    from dagrun.errors import RecordError

    runs = FileRuns(tmp_path / "runs", tmp_path / "events.jsonl")
    run = runs.create(CHAIN, 0.0, "it")
    runs.stream.unlink()
    run.append(CancelRequested(timestamp=0.0, by="me"))
    run.flush()
    assert len(runs.stream.read_text().splitlines()) == 1, "the stream may rotate: it begins anew"
    (tmp_path / "runs/it/events.jsonl").unlink()
    run.append(CancelRequested(timestamp=0.0, by="me"))
    with pytest.raises(RecordError, match="it was removed"):
        run.flush()
    run.close()
