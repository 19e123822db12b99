"""Tasks that run other DAGs: given these documents, when the first one runs, then this is recorded."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from dagrun import settings
from dagrun.app.run_inputs import GivenParams
from dagrun.app.service import Service
from dagrun.app.stretch import Cancellation, RunResult
from dagrun.clock import SteadyClock
from dagrun.core.events import DagStart, TaskStart
from dagrun.core.selection import Selection
from dagrun.errors import RefusedError
from dagrun.executors.inline import HANG, InlineExecutor
from dagrun.registry import Registry
from dagrun.runtime.run_request import RunRequest
from dagrun.storage.memory import MemoryRuns
from dagrun.views.status import RunView

Body = Callable[[dict[str, Any]], Any]


class House:
    """A project whose bodies are functions by the id of their task; those without one do nothing."""

    def __init__(self, root: Path) -> None:
        (root / "dagrun.toml").touch()
        self.root = root
        self.bodies: dict[str, Body] = {}
        self.executor = InlineExecutor(self.bodies)
        self.executor.bodies = self.bodies
        self.runs = MemoryRuns()
        self.service = Service(
            settings.load(start=root), self.runs, SteadyClock(), lambda: self.executor, Registry
        )

    def write(self, **documents: str) -> None:
        """Documents by name."""
        (self.root / "configs/dags").mkdir(parents=True, exist_ok=True)
        for name, text in documents.items():
            (self.root / f"configs/dags/{name}.yaml").write_text(textwrap.dedent(text))

    def run(self, name: str = "top", *params: str, run_id: str = "", **more: Any) -> RunView:
        """Run a DAG to its end; the id of the run is its name."""
        prepared = self.service.documents.prepare(RunRequest(dag=name, params=params, **more))
        return asyncio.run(self.service.run(prepared, run_id or name)).view

    def resume(self, name: str = "top", **more: Any) -> RunView:
        """Resume the run with that id."""
        ended: RunResult | None = asyncio.run(self.service.resume(name, **more))
        assert ended is not None
        return ended.view

    @property
    def started(self) -> list[str]:
        """The tasks whose bodies began, in order."""
        return [task_id for task_id, _ in self.executor.started]

    def children(self) -> list[RunView]:
        """The child runs, in the order in which they were created."""
        return [self.service.status(run_id) for run_id, run in self.runs.runs.items() if run.is_child]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.chdir(tmp_path)
    return House(tmp_path)


def tasks(run: RunView) -> Mapping[str, tuple[str, str | None]]:
    """The status and the error of each task."""
    return {task.id: (task.status, task.error) for task in run.tasks}


TOP = """
    params: {region: eu}
    outputs: {sum: "${{ tasks.sub.outputs.sum }}"}
    tasks:
      - {id: first, run: x}
      - {id: sub, dag: child, depends_on: [first], params: {region: "${{ params.region }}", n: "${{ tasks.first.outputs.n }}"}}
      - {id: after, run: x, depends_on: [sub]}
"""
CHILD = """
    params: {region: us, n: {type: integer}, first__n: 0, first__other: 0}
    outputs: {sum: "${{ tasks.work.outputs.sum }}", region: "${{ params.region }}"}
    tasks:
      - {id: work, run: x, params: {n: "${{ params.n }}", up: "${{ params.first__n }}"}}
"""


def test_parameters_go_down_and_outputs_come_up(house: House) -> None:
    house.write(top=TOP, child=CHILD)
    house.bodies |= {"first": lambda _: {"n": "3", "extra": 1}, "work": lambda p: {"sum": p["n"] + 1}}
    run = house.run("top", "region=asia")
    (child,) = house.children()
    # Text is read as for --param; of the outputs of dependencies only declared parameters arrive.
    assert child.params == {"region": "asia", "n": 3, "first__n": 3, "first__other": 0}
    assert run.outputs == {"sum": 4}
    assert house.executor.params["after"] == {"sub__sum": 4, "sub__region": "asia"}
    assert (child.parent_run_id, child.tenant) == ("top", "local-dev")


def test_the_tenant_and_the_minute_of_the_fire_are_inherited(house: House) -> None:
    house.write(
        top="tasks: [{id: a, dag: child}]",
        child="tenant_id: other\noutputs: {at: '${{ run.scheduled_at }}'}\ntasks: [{id: x, run: x}]",
    )
    run = house.run(tenant="acme", schedule_id="s", scheduled_at="2026-01-02T03:04:00.000Z")
    assert house.children()[0].tenant == "acme"
    assert run.tasks[0].outputs == {"at": "2026-01-02T03:04:00.000Z"}
    events = house.runs.read(house.children()[0].run_id).events
    assert isinstance(events[0], DagStart)
    assert (events[0].trigger, events[0].schedule_id, events[0].parent_run_id) == ("dag", None, "top")


def test_a_child_run_that_changes_nothing_has_not_changed(house: House) -> None:
    house.write(
        top="tasks: [{id: a, dag: child}, {id: b, run: x, depends_on: [a], only_if_changed: true}]",
        child="spec: {steps: [{name: x}]}",
    )
    assert tasks(house.run())["b"] == ("skipped", None)


def fails(_: dict[str, Any]) -> None:
    raise RuntimeError("boom")


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ("tasks: [{id: x, run: x}]", "failed: x failed (RuntimeError: boom)"),
        (
            "tasks: [{id: x, run: x}, {id: ok, run: x}, {id: y, run: x, on_error: continue}]",
            "failed: x, y failed",
        ),
        (
            "on_error: continue\ntasks: [{id: x, run: x}, {id: ok, run: x}]",
            "ended partially: x failed (RuntimeError: boom)",
        ),
        (
            "outputs: {a: '${{ tasks.ok.outputs.none }}'}\ntasks: [{id: ok, run: x}]",
            "failed: OutputsFailed: ok has no output 'none'",
        ),
    ],
)
def test_a_child_run_that_does_not_succeed_fails_its_task(house: House, document: str, error: str) -> None:
    house.write(top="tasks: [{id: a, dag: child}]", child=document)
    house.bodies |= {"x": fails, "y": fails}
    run = house.run()
    (child,) = house.children()
    status, said = tasks(run)["a"]
    assert (status, run.status) == ("failed", "failed")
    assert said is not None
    assert said.startswith(f"child run {child.run_id} {error.partition(':')[0]}"), said


def test_each_retry_is_a_new_child_run(house: House) -> None:
    house.write(
        top="tasks: [{id: a, dag: child, retries: 1, retry: {initial: 0}}]",
        child="tasks: [{id: ok, run: x}, {id: x, run: x, depends_on: [ok]}]",
    )
    calls: Iterator[Body] = iter([fails, lambda _: None])
    house.bodies["x"] = lambda p: next(calls)(p)
    run = house.run()
    assert [child.status for child in house.children()] == ["failed", "success"]
    assert run.tasks[0].child_run_id == house.children()[1].run_id
    assert house.started == ["ok", "x", "ok", "x"]


def test_a_resume_continues_the_child_run_that_failed(house: House) -> None:
    house.write(top=TOP, child=CHILD + "      - {id: more, run: x, depends_on: [work]}\n")
    house.bodies |= {"first": lambda _: {"n": 3}, "work": lambda _: {"sum": 4}, "more": fails}
    assert house.run().status == "failed"
    del house.bodies["more"]
    assert house.resume().status == "success"
    assert house.started == ["first", "work", "more", "more", "after"]
    (child,) = house.children()
    assert (child.status, child.resumed_at is not None) == ("success", True)


def test_a_resume_with_other_parameters_begins_a_new_child_run(house: House) -> None:
    house.write(top=TOP, child=CHILD)
    house.bodies |= {"first": lambda _: {"n": 3}, "work": fails}
    house.run()
    house.bodies["work"] = lambda _: {"sum": 1}
    assert house.resume(given=GivenParams(params=["region=us"])).status == "success"
    assert [(child.status, child.params["region"]) for child in house.children()] == [
        ("failed", "eu"),
        ("success", "us"),
    ]


def test_a_child_run_that_succeeded_alone_is_not_run_again(house: House) -> None:
    house.write(top=TOP, child=CHILD)
    house.bodies |= {"first": lambda _: {"n": 3}, "work": fails}
    house.run()
    house.bodies["work"] = lambda _: {"sum": 5}
    assert house.resume(house.children()[0].run_id).status == "success"
    run = house.resume()
    assert (run.status, run.outputs, house.started) == (
        "success",
        {"sum": 5},
        ["first", "work", "work", "after"],
    )


def test_a_resume_uses_the_recorded_dag_of_a_child_run_unless_the_current_one_is_wanted(house: House) -> None:
    child = "tasks: [{id: x, run: x}]"
    house.write(top="tasks: [{id: a, dag: child}]", child=child)
    house.bodies["x"] = fails
    house.run()
    house.write(child="tasks: [{id: y, run: x}]")
    house.resume()
    assert house.started == ["x", "x"]
    assert house.resume(use_current=True).status == "success"
    assert house.started == ["x", "x", "y"]


def test_a_rerun_runs_child_runs_anew_and_reuses_those_that_are_not_selected(house: House) -> None:
    house.write(
        top="tasks: [{id: a, dag: child}, {id: b, dag: child, depends_on: [a]}]",
        child="tasks: [{id: x, run: x}]",
    )
    house.run()
    ended = asyncio.run(house.service.rerun("top", Selection(start=["b"]), "again"))
    assert ended.view.status == "success"
    assert house.started == ["x", "x", "x"]
    assert [child.parent_run_id for child in house.children()] == ["top", "top", "again"]


def test_the_slots_of_the_root_bound_the_bodies_of_the_whole_tree(house: House) -> None:
    house.write(
        top="max_parallel: 2\ntasks: [{id: a, dag: child, matrix: {n: [1, 2, 3, 4]}}, {id: own, run: x, for_each: [1, 2, 3]}]",
        child="max_parallel: 8\ntasks: [{id: b, dag: low}, {id: c, run: x}]",
        low="max_parallel: 1\ntasks: [{id: d, run: x}, {id: e, run: x}]",
    )
    assert house.run().status == "success"
    assert house.executor.most_at_once == 2
    assert len(house.started) == 3 + 4 * 3


def test_a_childs_own_limit_bounds_its_own_bodies(house: House) -> None:
    house.write(
        top="max_parallel: 8\ntasks: [{id: a, dag: child}]",
        child="max_parallel: 1\ntasks: [{id: b, run: x, for_each: [1, 2, 3]}]",
    )
    house.run()
    assert house.executor.most_at_once == 1


def test_a_for_each_runs_a_child_for_each_item_no_more_at_once_than_it_says(house: House) -> None:
    house.write(
        top="tasks: [{id: a, dag: child, for_each: [3, 4, 5], max_parallel: 2, params: {n: '${{ item }}'}}, {id: b, run: x, depends_on: [a]}]",
        child="params: {n: 0}\noutputs: {n: '${{ params.n }}'}\ntasks: [{id: x, run: x}]",
    )
    house.run()
    assert house.executor.params["b"] == {"a__n": {"0": 3, "1": 4, "2": 5}}
    begun = [event.child_run_id for event in house.runs.read("top").events if isinstance(event, TaskStart)]
    assert begun == [*(child.run_id for child in house.children()), None]


@pytest.mark.parametrize(
    ("param", "error"),
    [
        ("nope", "DAG 'nope' not found"),
        ("wrong", "DAG 'wrong' cannot run: configs/dags/wrong.yaml:1:17: unknown key 'rn'"),
        ("needs", "DAG 'needs': parameter 'q' is required: the task must give it in its parameters"),
        ("other", "DAG 'other': DAG 'other' has no parameter 'n' (it has none)"),
        ("top", "DAG 'top' would run itself: top -> top"),
    ],
)
def test_a_dag_that_is_an_expression_is_checked_when_its_task_starts(
    house: House, param: str, error: str
) -> None:
    params = "" if param in ("top", "nope", "wrong", "needs") else ", params: {n: 1}"
    house.write(
        top=f"params: {{p: good}}\ntasks: [{{id: a, dag: '${{{{ params.p }}}}', retries: 3{params}}}]",
        wrong="tasks: [{id: x, rn: x}]",
        needs="params: {q: {required: true}}\ntasks: [{id: x, run: x}]",
        other="tasks: [{id: x, run: x}]",
    )
    run = house.run("top", f"p={param}")
    assert tasks(run)["a"] == ("failed", error)
    assert house.children() == []


def test_a_cancel_reaches_every_run_below(house: House) -> None:
    house.write(
        top="tasks: [{id: a, dag: child}]", child="tasks: [{id: b, dag: low}]", low="tasks: [{id: x, run: x}]"
    )
    cancellation = Cancellation()

    def hang(_: dict[str, Any]) -> Any:
        asyncio.get_running_loop().call_soon(cancellation.cancel, "me", "enough")
        return HANG

    house.bodies["x"] = hang
    prepared = house.service.documents.prepare(RunRequest(dag="top"))
    ended = asyncio.run(house.service.run(prepared, "top", cancellation=cancellation))
    assert [ended.status, *(child.status for child in house.children())] == ["cancelled"] * 3
    low = house.children()[1]
    assert low.reason.startswith("Cancelled: task 'b' was cancelled")


def test_a_child_run_that_is_cancelled_alone_fails_its_task_which_is_not_tried_again(house: House) -> None:
    house.write(top="tasks: [{id: a, dag: child, retries: 3}]", child="tasks: [{id: x, run: x}]")

    def hang(_: dict[str, Any]) -> Any:
        from dagrun.core.requests import Request

        (child,) = house.children()
        house.runs.send(child.run_id, Request("cancel", "me", {"reason": "no"}))
        return HANG

    house.bodies["x"] = hang
    run = house.run()
    (child,) = house.children()
    assert tasks(run)["a"] == ("failed", f"child run {child.run_id} was cancelled: no")


def test_a_child_run_cannot_be_resumed_while_the_run_above_it_is_live(house: House) -> None:
    house.write(
        top="tasks: [{id: a, dag: child, continue_on_failure: true}, {id: b, run: x, depends_on: [a]}]",
        child="tasks: [{id: x, run: x}]",
    )
    refused: list[str] = []

    def resume(_: dict[str, Any]) -> None:
        with pytest.raises(RefusedError) as caught:
            house.service.resume(house.children()[0].run_id).send(None)
        refused.append(caught.value.message)

    house.bodies |= {"x": fails, "b": resume}
    house.run()
    child = house.children()[0].run_id
    assert refused == [f"run '{child}' is a task of run 'top', which another process drives"]


def test_secrets_of_the_parent_are_neither_seen_nor_shown_in_a_child_run(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "s3cr3t-value")
    house.write(
        top="secrets: [TOKEN]\nenv: {MINE: top}\nparams: {p: x}\ntasks: [{id: a, dag: child, params: {p: '${{ params.p }}'}}]",
        child="params: {p: ''}\noutputs: {seen: '[${{ env.TOKEN }}] [${{ env.MINE }}] ${{ params.p }}'}\ntasks: [{id: x, run: x}]",
    )
    run = house.run("top", "p=has s3cr3t-value in it")
    assert run.tasks[0].outputs == {"seen": "[] [] has *** in it"}
    journals = [str(line) for each in house.runs.runs.values() for line in each.journal]
    assert "s3cr3t-value" not in "".join(journals)
    (child,) = house.children()
    assert child.params == {"p": "has *** in it"}


def test_a_child_has_the_secrets_that_its_own_document_declares(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "s3cr3t-value")
    house.write(
        top="tasks: [{id: a, dag: child}]",
        child="secrets: [TOKEN]\noutputs: {n: '${{ tasks.x.outputs.n }}'}\ntasks: [{id: x, run: x, env: {X: '${{ secrets.TOKEN }}'}}]",
    )
    house.bodies["x"] = lambda _: {"n": "it is s3cr3t-value"}
    assert house.run().tasks[0].outputs == {"n": "it is ***"}
    monkeypatch.delenv("TOKEN")
    assert tasks(house.run("top", run_id="again"))["a"] == (
        "failed",
        "the secret 'TOKEN' is not set: export it, or put it into .env",
    )


def test_outputs_that_are_too_large_for_an_event_are_in_a_file(house: House) -> None:
    house.write(top=TOP, child=CHILD)
    house.bodies |= {"first": lambda _: {"n": 1}, "work": lambda _: {"sum": "x" * 100_000}}
    run = house.run()
    assert run.outputs == {"sum": "x" * 100_000}
    assert "sub.1" in house.runs.runs["top"].files


# --- approvals in child runs ---

GATED = """
    outputs: {who: "${{ tasks.ask.outputs.who }}"}
    tasks:
      - {id: before, run: x}
      - {id: ask, depends_on: [before], approval: {prompt: "Go on?", inputs: {who: ""}}}
      - {id: then, run: x, depends_on: [ask]}
"""


@pytest.fixture
def gated(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """Three runs below each other, of which the lowest asks somebody."""
    monkeypatch.setenv("USER_RBAC_ROLE", "Operator")
    house = House(house.root)
    house.write(
        top="outputs: {who: '${{ tasks.m.outputs.who }}'}\ntasks: [{id: m, dag: middle}, {id: own, run: x}, {id: end, run: x, depends_on: [m]}]",
        middle="outputs: {who: '${{ tasks.low.outputs.who }}'}\ntasks: [{id: low, dag: low}]",
        low=GATED,
    )
    return house


def statuses(house: House) -> list[str]:
    """The statuses of all runs, from the top."""
    return [house.service.status("top").status, *(child.status for child in house.children())]


def test_an_approval_in_a_child_run_pauses_every_run_above_it(gated: House) -> None:
    assert gated.run().status == "waiting"
    assert statuses(gated) == ["waiting"] * 3
    assert tasks(gated.service.status("top"))["m"][0] == "waiting"
    assert gated.started == ["own", "before"]
    assert not any(run.live for run in gated.runs.runs.values())


def test_an_open_approval_is_named_from_the_run_at_the_top(gated: House) -> None:
    gated.run()
    (found,) = gated.service.open_approvals()
    low = gated.children()[-1].run_id
    assert (found.run_id, found.task_id, found.root_run_id, found.path) == (low, "ask", "top", "m/low/ask")
    assert gated.service.gate(found.root_run_id, found.path) == (low, "ask")


def test_once_it_is_approved_the_run_at_the_top_continues_all_of_them(gated: House) -> None:
    gated.run()
    run_id, gate = gated.service.gate("top", "m/low/ask")
    answer = gated.service.answers.approve(run_id, gate, "ann", {"who": "ann"})
    assert (answer.live, gated.service.root_of(run_id)) == (False, "top")
    run = gated.resume()
    assert (run.status, run.outputs, gated.started) == (
        "success",
        {"who": "ann"},
        ["own", "before", "then", "end"],
    )
    assert statuses(gated) == ["success"] * 3
    assert len(gated.children()) == 2


def test_one_that_is_rejected_fails_the_tasks_above_it(gated: House) -> None:
    gated.run()
    gated.service.answers.reject(*gated.service.gate("top", "m/low/ask"), "ann", "no")
    assert gated.resume().status == "failed"
    assert statuses(gated) == ["failed"] * 3


def test_a_resume_without_an_answer_pauses_again(gated: House) -> None:
    gated.run()
    assert gated.resume().status == "waiting"
    assert statuses(gated) == ["waiting"] * 3
    assert gated.started == ["own", "before"]


def test_a_cancel_of_a_paused_run_cancels_its_child_runs(gated: House) -> None:
    gated.run()
    assert gated.service.cancel("top", "me").status == "cancelled"
    assert statuses(gated) == ["cancelled"] * 3


def test_an_approval_while_the_run_above_it_is_live_continues_it_at_once(gated: House) -> None:
    """The task `own` runs until the child run has ended."""
    from dagrun.core.requests import Request

    def hang(_: dict[str, Any]) -> Any:
        async def approve() -> None:
            while not any(each.status == "waiting" for run in gated.children() for each in run.tasks):  # noqa: ASYNC110
                await asyncio.sleep(0.01)  # another run changes it
            low = gated.children()[1].run_id
            data = {"task": "ask", "inputs": {"who": "bob"}, "request_id": "1"}
            gated.runs.send(low, Request("approve", "bob", data))
            while gated.children()[1].status != "success":  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            gated.executor.release("own")

        waiting.append(asyncio.get_running_loop().create_task(approve()))
        return HANG

    waiting: list[asyncio.Task[None]] = []
    gated.bodies["own"] = hang
    run = gated.run()
    assert (run.status, run.outputs) == ("success", {"who": "bob"})


def test_of_many_child_runs_those_that_need_nobody_go_on(gated: House) -> None:
    gated.write(
        top="tasks: [{id: a, dag: ask, for_each: [1, 2, 3], params: {n: '${{ item }}'}}, {id: end, run: x, depends_on: [a]}]",
        ask="params: {n: 0}\ntasks: [{id: gate, if: params.n == 2, approval: {prompt: ok}}, {id: x, run: x}]",
    )
    assert gated.run().status == "waiting"
    assert [child.status for child in gated.children()] == ["success", "waiting", "success"]
    gated.service.answers.approve(*gated.service.gate("top", "a[1]/gate"), "ann", {})
    assert gated.resume().status == "success"
    assert gated.started == ["x", "x", "x", "end"]
