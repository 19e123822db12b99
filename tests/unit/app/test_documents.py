"""Documents of a project: found, checked, and prepared for runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagrun.app.documents import Documents
from dagrun.core.outcomes import OnError
from dagrun.core.selection import Selection
from dagrun.documents.yaml import DocumentError
from dagrun.errors import NotFoundError, UsageError
from dagrun.registry import Registry
from dagrun.runtime.run_request import RunRequest
from dagrun.settings import Settings

TWO = "name: two\nparams: {n: 1}\ntasks: [{id: a, run: x}, {id: b, run: y, depends_on: [a]}]\n"


@pytest.fixture
def documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Documents:
    """A project with one document, seen from its root. Reading the registry is an error: nothing calls workflows."""
    (tmp_path / "configs" / "dags").mkdir(parents=True)
    (tmp_path / "configs" / "dags" / "file.yaml").write_text(TWO)
    monkeypatch.chdir(tmp_path)

    def read_registry() -> Registry:
        raise AssertionError("no document calls a workflow")

    return Documents(Settings(root=tmp_path), read_registry)


def test_a_document_is_found_by_name_and_by_path(documents: Documents) -> None:
    path = documents.settings.root / "configs/dags/file.yaml"
    for named in ("two", "configs/dags/file.yaml", str(path)):
        assert documents.find(named)[0].absolute() == path


def test_a_name_wins_over_a_directory_of_that_name(documents: Documents, tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    assert documents.find("two")[1] == "configs/dags/file.yaml"


def test_a_name_that_two_documents_have_is_refused(documents: Documents, tmp_path: Path) -> None:
    (tmp_path / "configs/dags/other.yaml").write_text(TWO)
    with pytest.raises(NotFoundError) as error:
        documents.find("two")
    assert "give the path of one" in error.value.hint


def test_a_misspelt_name_gets_a_suggestion(documents: Documents) -> None:
    with pytest.raises(NotFoundError) as error:
        documents.find("tow")
    assert error.value.hint == "did you mean 'two'?"


def test_the_documents_of_a_project_include_its_schedules(documents: Documents, tmp_path: Path) -> None:
    (tmp_path / "configs/schedules").mkdir()
    (tmp_path / "configs/schedules/s.yaml").write_text("id: s\n")
    assert [shown for _, shown in documents.of_project()] == [
        "configs/dags/file.yaml",
        "configs/schedules/s.yaml",
    ]
    assert documents.holds_schedules(tmp_path / "configs/schedules/s.yaml")
    assert not documents.holds_schedules(tmp_path / "configs/dags/file.yaml")


def test_a_report_has_findings_in_the_order_of_lines(documents: Documents, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("tasks:\n  - {id: a, run: x, depends_on: [b]}\n  - {id: a, run: y}\n")
    (report,) = documents.validate(["bad.yaml"])
    assert [finding.place.line for finding in report.errors] == [2, 3]
    assert report.graph is None


def test_strict_makes_errors_of_warnings(documents: Documents, tmp_path: Path) -> None:
    (tmp_path / "warn.yaml").write_text("tasks: [{id: a, run: x, if: 'false'}]\n")
    (report,) = documents.validate(["warn.yaml"])
    assert (len(report.errors), len(report.warnings)) == (0, 1)
    assert (len(report.strict().errors), report.strict().graph) == (1, None)


def test_a_run_is_prepared_with_what_overrides_its_document(documents: Documents) -> None:
    request = RunRequest(
        dag="two", params=["n=2"], tenant="acme", max_parallel=1, on_error=OnError.CONTINUE,
        selection=Selection(only=["b"]),
    )  # fmt: skip
    run = documents.prepare(request)
    dag = run.graph.dag
    assert (dag.tenant, dag.max_parallel, dag.on_error) == ("acme", 1, OnError.CONTINUE)
    assert ([task.id for task in dag.tasks], run.partial) == (["b"], True)
    assert (run.path, run.params) == ("configs/dags/file.yaml", {"n": 2})


def test_a_wrong_default_is_refused_before_a_run_exists(documents: Documents, tmp_path: Path) -> None:
    (tmp_path / "d.yaml").write_text(
        'params: {n: {type: integer, default: "${{ run.id }}"}}\ntasks: [{id: a, run: x}]\n'
    )
    with pytest.raises(UsageError, match="'n'"):
        documents.prepare(RunRequest(dag="d.yaml"))


def test_a_tenant_must_be_a_name(documents: Documents) -> None:
    with pytest.raises(UsageError, match="cannot name a tenant"):
        documents.graph(RunRequest(dag="two", tenant="a b"))


def test_a_document_with_errors_has_no_graph(documents: Documents, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("tasks: [{id: a}]\n")
    with pytest.raises(DocumentError):
        documents.graph(RunRequest(dag="bad.yaml"))


def test_the_path_to_record_is_found_again_from_anywhere(
    documents: Documents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path / "configs")
    assert documents.prepare(RunRequest(dag="dags/file.yaml")).path == "configs/dags/file.yaml"


def test_a_schedule_names_documents_from_the_root_and_sees_their_changes(
    documents: Documents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    first = documents.dag_at_root("configs/dags/file.yaml")
    assert documents.dag_at_root("two") is first
    (tmp_path / "configs/dags/file.yaml").write_text(TWO + "description: new\n")
    assert documents.dag_at_root("two").description == "new"
    with pytest.raises(NotFoundError, match=r"none\.yaml"):
        documents.at_root("none.yaml")
