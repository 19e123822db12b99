"""What would run: the dry run, word for word."""

from __future__ import annotations

from dagrun.graph import Graph
from dagrun.model import Dag, ShellAction, WorkflowAction
from dagrun.views.plan import dry_run
from tests.unit.harness import graph, shown, task


def weekly() -> Graph:
    return Graph.compile(
        Dag(
            name="weekly_ops_chain",
            tasks=(
                task("sweep", action=WorkflowAction("inbox_drive_sweep")),
                task("report", "sweep", action=WorkflowAction("weekly_report_pack")),
                task("brief", "report", "sweep", action=ShellAction(("make brief\nmake more",))),
            ),
        )
    )


def test_a_dry_run_word_for_word() -> None:
    assert dry_run(weekly()) == shown(
        """
        DRY RUN: DAG 'weekly_ops_chain'
        Tenant: local-dev
        Tasks: 3

        Execution Plan:
          1. sweep (workflow: inbox_drive_sweep, depends_on: none)
          2. report (workflow: weekly_report_pack, depends_on: sweep)
          3. brief (shell: make brief, depends_on: report, sweep)
        """
    )


def test_the_plan_stands_in_the_order_in_which_one_worker_would_run_it() -> None:
    lines = dry_run(graph("z; a; m<-a; b<-z")).splitlines()[5:]
    assert [line.split()[:2] for line in lines] == [["1.", "z"], ["2.", "a"], ["3.", "m"], ["4.", "b"]]
