"""Runs whose tasks are runs of other DAGs: through the executable, with signals and kill -9."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from tests.acceptance.harness import Outcome, Project, wait_for

SLOW = """
    name: slow
    params: {secs: 300}
    outputs: {said: "${{ tasks.nap.outputs.said }}"}
    tasks:
      - {id: first, run: "echo first >> trace"}
      - {id: nap, run: 'echo nap >> trace; test -e awake || sleep 300; echo "said=hello" >> "$DAGRUN_OUTPUT"', depends_on: [first]}
      - {id: last, run: "echo last >> trace", depends_on: [nap]}
"""
MIDDLE = """
    name: middle
    outputs: {said: "${{ tasks.low.outputs.said }}"}
    tasks:
      - {id: low, dag: slow}
"""
TOP = """
    name: top
    tasks:
      - {id: m, dag: middle.yaml}
      - {id: z, run: 'echo ${{ tasks.m.outputs.said }} >> trace', depends_on: [m]}
"""


@pytest.fixture
def tree(project: Project) -> Project:
    """A project with a run of three levels, of which the lowest sleeps until there is a file `awake`."""
    project.write("configs/dags/slow.yaml", SLOW)
    project.write("middle.yaml", MIDDLE)
    project.write("top.yaml", TOP)
    return project


def started(tree: Project, *words: str, **more: Any) -> Any:
    """The process of a run of `top.yaml`, in which the lowest run sleeps."""
    process = tree.start(*(words or ("run", "top.yaml")), **more)
    wait_for("the nap", lambda: "nap" in trace(tree) or process.poll() is not None)
    assert process.poll() is None, tree.finish(process)
    return process


def trace(tree: Project) -> list[str]:
    """What the bodies have written, in order."""
    path = tree.root / "trace"
    return path.read_text().split() if path.exists() else []


def runs(tree: Project) -> dict[str, dict[str, Any]]:
    """All runs with their child runs, by the name of their DAG."""
    found = tree.dagrun("runs", "--children", "-o", "json").json["runs"]
    return {run["dag_name"]: run for run in found}


def statuses(tree: Project) -> dict[str, str]:
    """The status of each run."""
    return {name: run["status"] for name, run in runs(tree).items()}


def every(status: str) -> dict[str, str]:
    """All three runs in that state."""
    return dict.fromkeys(("top", "middle", "slow"), status)


def test_a_tree_of_runs_succeeds_and_outputs_come_back(tree: Project) -> None:
    tree.write("awake", "")
    ended = tree.dagrun("run", "top.yaml", "-o", "json")
    assert (ended.code, trace(tree)) == (0, ["first", "nap", "last", "hello"]), ended
    found = runs(tree)
    assert found["slow"]["parent_run_id"] == found["middle"]["run_id"]
    assert found["middle"]["parent_run_id"] == found["top"]["run_id"] == ended.json["run_id"]
    assert ended.task("m")["run_id"] == found["middle"]["run_id"]
    assert ended.task("m")["outputs"] == {"said": "hello"}
    listed = tree.dagrun("runs", "-o", "json").json["runs"]
    assert [run["dag_name"] for run in listed] == ["top"]
    assert tree.dagrun("status", "-o", "json").json["dag_name"] == "top"


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_the_whole_tree_and_a_resume_continues_it(
    tree: Project, signum: signal.Signals
) -> None:
    process = started(tree)
    process.send_signal(signum)
    assert tree.finish(process).code == 128 + signum
    assert statuses(tree) == every("cancelled")
    wait_for("the end of all bodies", lambda: not tree.named("sleep"))
    _resumed(tree)


@pytest.mark.slow
@pytest.mark.parametrize("dag", ["top", "middle", "slow"])
def test_a_cancel_of_one_run_reaches_all_below_it(tree: Project, dag: str) -> None:
    process = started(tree)
    assert tree.dagrun("cancel", runs(tree)[dag]["run_id"], "--reason", "enough").code == 0
    assert tree.finish(process).code == 1
    expected = every("cancelled")
    for name in ("top", "middle"):
        if name == dag:
            break
        expected[name] = "failed"
    assert statuses(tree) == expected
    _resumed(tree)


@pytest.mark.slow
@pytest.mark.parametrize("where", ["top", "keeper too"])
def test_after_kill_9_a_resume_continues_the_same_child_runs(tree: Project, where: str) -> None:
    process = started(tree)
    if where == "keeper too":
        process.send_signal(signal.SIGSTOP)  # so that it does not see the end of its keeper
        for pid in tree.named("dagrun-keeper"):
            os.kill(pid, signal.SIGKILL)
    process.kill()
    process.wait()
    if where == "top":
        wait_for("the end of all bodies", lambda: not tree.named("sleep"))
    assert statuses(tree) == every("interrupted")
    before = {name: run["run_id"] for name, run in runs(tree).items()}
    _resumed(tree)
    assert {name: run["run_id"] for name, run in runs(tree).items()} == before


def _resumed(tree: Project) -> Outcome:
    """Resume the top run, whose lowest run does not sleep any more; what had succeeded does not run again."""
    tree.write("awake", "")
    ended = tree.dagrun("resume", "latest")
    assert ended.code == 0, ended
    assert trace(tree) == ["first", "nap", "nap", "last", "hello"]
    assert statuses(tree) == every("success")
    return ended


@pytest.mark.slow
def test_a_child_run_is_resumed_alone_only_while_nothing_above_it_lives(tree: Project) -> None:
    process = started(tree)
    child = runs(tree)["slow"]["run_id"]
    refused = tree.dagrun("resume", child)
    assert refused.code == 2
    assert "is being run by another process" in refused.err
    process.kill()
    process.wait()
    tree.write("awake", "")
    assert tree.dagrun("resume", child).code == 0
    assert trace(tree) == ["first", "nap", "nap", "last"]
    assert tree.dagrun("resume", "latest").code == 0
    assert trace(tree) == ["first", "nap", "nap", "last", "hello"]


@pytest.mark.slow
def test_a_child_document_that_disappears_or_is_damaged_before_a_resume_does_not_matter(
    tree: Project,
) -> None:
    process = started(tree)
    process.kill()
    process.wait()
    (tree.root / "configs/dags/slow.yaml").unlink()
    tree.write("middle.yaml", "tasks: 5")
    _resumed(tree)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("document", "task", "run"),
    [
        ("{name: d, tasks: [{id: m, dag: slow, timeout: 2}]}", "timed_out", "failed"),
        ("{name: d, timeout: 2, tasks: [{id: m, dag: slow}]}", "cancelled", "failed"),
    ],
)
def test_a_timeout_of_the_task_or_the_run_cancels_the_child_run(
    tree: Project, document: str, task: str, run: str
) -> None:
    tree.write("d.yaml", document)
    ended = tree.dagrun("run", "d.yaml", "-o", "json")
    assert (ended.code, ended.json["status"], ended.task("m")["status"]) == (1, run, task)
    assert runs(tree)["slow"]["status"] == "cancelled"
    assert not tree.named("sleep")


@pytest.mark.slow
def test_a_failure_that_stops_the_run_ends_its_child_runs(tree: Project) -> None:
    tree.write(
        "d.yaml",
        """
        name: d
        tasks:
          - {id: m, dag: slow}
          - {id: f, run: "until grep -q nap trace; do sleep 0.05; done; exit 1"}
        """,
    )
    ended = tree.dagrun("run", "d.yaml", "-o", "json")
    assert (ended.task("m")["status"], ended.task("m")["reason"]) == ("cancelled", "StopAll")
    assert runs(tree)["slow"]["status"] == "cancelled"


@pytest.mark.slow
def test_a_cancel_of_an_interrupted_run_cancels_its_child_runs_too(tree: Project) -> None:
    process = started(tree)
    process.kill()
    process.wait()
    assert tree.dagrun("cancel", "latest").code == 0
    assert statuses(tree) == every("cancelled")


@pytest.mark.slow
def test_an_approval_in_a_child_run_continues_the_whole_tree(tree: Project) -> None:
    tree.write(
        "configs/dags/slow.yaml",
        """
        name: slow
        outputs: {said: "${{ tasks.gate.outputs.said }}"}
        tasks:
          - {id: first, run: "echo first >> trace"}
          - {id: gate, depends_on: [first], approval: {prompt: ok, required_role: Viewer, inputs: {said: {required: true}}}}
        """,
    )
    paused = tree.dagrun("run", "top.yaml")
    assert (paused.code, statuses(tree)) == (0, every("waiting"))
    assert "m waits for its child run" in paused.out
    why = tree.dagrun("why", "latest", "m")
    assert "gate" in why.out, why
    continued = tree.dagrun("approve", "latest", "m/low/gate", "--set", "said=hello")
    assert continued.code == 0, continued
    assert (trace(tree), statuses(tree)) == (["first", "hello"], every("success"))


@pytest.mark.slow
def test_a_scheduler_continues_a_tree_after_an_approval_in_a_child_run(tree: Project) -> None:
    tree.write(
        "configs/dags/slow.yaml",
        "name: slow\noutputs: {said: hi}\ntasks: [{id: gate, approval: {required_role: Viewer}}]\n",
    )
    tree.write("configs/schedules/s.yaml", "- {id: s, cron: '0 8 * * *', dag: top.yaml}")
    assert tree.dagrun("scheduler", "--once", "--at", "2026-11-16T08:00Z").code == 0
    assert statuses(tree) == every("waiting")
    assert tree.dagrun("scheduler", "--once", "--at", "2026-11-17T09:00Z").code == 0
    assert statuses(tree) == every("waiting")
    assert tree.dagrun("approve", "latest", "m/low/gate", "--no-resume").code == 0
    assert tree.dagrun("scheduler", "--once", "--at", "2026-11-17T09:01Z").code == 0
    assert (trace(tree), statuses(tree)) == (["hi"], every("success"))


@pytest.mark.slow
def test_a_signal_reaches_a_wait_in_a_child_run(tree: Project) -> None:
    tree.write(
        "configs/dags/slow.yaml",
        "name: slow\noutputs: {said: '${{ tasks.w.outputs.said }}'}\ntasks: [{id: w, wait: {signal: go}}]\n",
    )
    assert tree.dagrun("run", "top.yaml").code == 0
    wrong = tree.dagrun("signal", "latest", "m/lo/go")
    assert (wrong.code, "task 'lo' not found" in wrong.err) == (2, True), wrong
    assert tree.dagrun("signal", "latest", "m/low/go", "--set", "said=hello").code == 0
    assert (trace(tree), statuses(tree)) == (["hello"], every("success"))


def test_a_watched_status_shows_child_runs(tree: Project) -> None:
    tree.write("awake", "")
    assert tree.answer("run", "top.yaml").code == 0
    shown = tree.answer("status", "--watch").out.splitlines()
    names = [line.split()[0] for line in shown if "success" in line and not line.startswith("Status")]
    assert names == ["m", "low", "first", "nap", "last", "z"]


def test_a_drawing_has_the_tasks_of_child_runs_in_boxes(tree: Project) -> None:
    mermaid = tree.answer("plan", "top.yaml", "--graph", "mermaid").out
    assert '    subgraph n0_run["middle"]\n        n0["m"]\n        subgraph n0_0_run["slow"]\n' in mermaid
    assert "            n0_0_0 --> n0_0_1\n" in mermaid
    assert mermaid.endswith("    n0 --> n1\n")
    dot = tree.answer("plan", "top.yaml", "--graph", "dot").out
    assert '    subgraph "cluster_m" {\n        label="middle";\n        "m";\n' in dot
    assert '            "m/low/first" -> "m/low/nap";\n' in dot
    (m, _) = tree.answer("plan", "top.yaml", "--graph", "json").json["nodes"]
    assert (m["dag"], [node["dag"] for node in m["nodes"]]) == ("middle.yaml", ["slow"])


def test_logs_and_status_and_plan_show_the_tree(tree: Project) -> None:
    tree.write("awake", "")
    plan = tree.dagrun("plan", "top.yaml").out
    assert "    low (dag: slow, depends_on: none)" in plan
    assert "      first (shell: echo first >> trace, depends_on: none)" in plan
    tree.write("middle.yaml", MIDDLE.replace("tasks:", "tasks:\n      - {id: say, run: 'echo hi'}"))
    assert tree.dagrun("run", "top.yaml").code == 0
    assert tree.dagrun("logs", "latest").out == "m/say.1 | hi\n"
    assert tree.dagrun("logs", "latest", "m/say").out == "hi\n"
    status = tree.dagrun("status").out.splitlines()
    assert [line.split()[0] for line in status if "success  1" in line] == [
        "m",
        "say",
        "low",
        "first",
        "nap",
        "last",
        "z",
    ]


@pytest.mark.slow
def test_a_rerun_goes_into_child_runs_and_reuses_what_is_above(tree: Project) -> None:
    tree.write("awake", "")
    assert tree.dagrun("run", "top.yaml").code == 0
    assert tree.dagrun("rerun", "latest", "--from", "m/low/nap").code == 0
    assert trace(tree) == ["first", "nap", "last", "hello", "nap", "last", "hello"]
    assert statuses(tree) == every("success")
    listed = tree.dagrun("runs", "--children", "-o", "json").json["runs"]
    newest = [run["run_id"] for run in listed if run["dag_name"] == "slow"]
    assert len(newest) == 2
    tasks = tree.dagrun("status", newest[0], "-o", "json").json["tasks"]
    assert {task["id"]: task["reason"] for task in tasks} == {
        "first": "Reused", "nap": "Completed", "last": "Completed",
    }  # fmt: skip


def test_a_rerun_of_a_task_that_a_child_run_does_not_have_is_refused(tree: Project) -> None:
    tree.write("awake", "")
    assert tree.answer("run", "top.yaml").code == 0
    for name, message in (
        ("m/lo/nap", "task 'lo' not found"),
        ("m/low/na", "task 'na' not found"),
        ("z/x", "'z' has no child run"),
    ):
        outcome = tree.answer("rerun", "latest", "--from", name)
        assert (outcome.code, message in outcome.err) == (2, True), outcome


@pytest.mark.slow
def test_a_rerun_whose_parameters_differ_now_repeats_nothing_of_the_child_run(tree: Project) -> None:
    tree.write("awake", "")
    tree.write(
        "d.yaml", "{name: d, params: {n: 1}, tasks: [{id: m, dag: slow, params: {secs: '${{ params.n }}'}}]}"
    )
    assert tree.dagrun("run", "d.yaml").code == 0
    assert tree.dagrun("rerun", "latest", "--from", "m/nap", "-p", "n=2").code == 0
    assert trace(tree) == ["first", "nap", "last"] * 2
