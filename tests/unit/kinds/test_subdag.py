"""The kind `dag`: which DAG runs, and how documents write it."""

from __future__ import annotations

import pytest

from dagrun.core.model import TemplateText
from dagrun.kinds import KINDS, child_of, kind_of, read_action
from dagrun.kinds.kind import ChildRun
from dagrun.kinds.subdag import ChildDagAction
from dagrun.language.expressions import EvaluationError
from tests.unit.harness import task
from tests.unit.kinds.harness import start


def test_it_runs_the_dag_that_is_written() -> None:
    action = read_action({"dag": " configs/dags/backup.yaml "})
    assert action == ChildDagAction("configs/dags/backup.yaml")
    assert start(action) == ChildRun("configs/dags/backup.yaml")


def test_the_dag_may_be_an_expression() -> None:
    action = ChildDagAction("${{ params.which }}")
    assert start(action, lambda _: "backup") == ChildRun("backup")
    assert action.texts() == (TemplateText(("dag",), "${{ params.which }}"),)


def test_an_expression_without_a_value_is_reported_as_that() -> None:
    def fail(_: object) -> str:
        raise EvaluationError("there is no params.x", 0)

    with pytest.raises(EvaluationError) as caught:
        start(ChildDagAction("${{ params.x }}"), fail)
    assert str(caught.value) == "dag: there is no params.x"


def test_a_dry_run_names_the_dag() -> None:
    it = task("a", action=ChildDagAction("backup"))
    assert (kind_of(it).label(it.action), child_of(it), child_of(task("b"))) == (
        "dag: backup",
        "backup",
        None,
    )


def test_it_holds_no_slot() -> None:
    assert (KINDS["dag"].action.holds_slot, KINDS["dag"].action.has_own_run) == (False, True)
