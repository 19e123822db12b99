"""Documents by name: the names of a document, and the document of a name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dagrun.app.documents import Documents
from dagrun.documents import lookup
from dagrun.errors import NotFoundError
from dagrun.registry import Registry
from dagrun.settings import Settings

STEPS = "spec:\n  steps:\n    - {name: a, kind: Checkpoint}\n"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("name: nightly\ntasks: []\n", "nightly"),
        ('tasks: []\nname: "nightly"  # at two\n', "nightly"),
        ("tasks:\n  - name: inner\n", None),
        (f"kind: Orchestration\nmetadata:\n  name: nightly\n{STEPS}", "nightly"),
        (f"metadata:\n  labels:\n    name: label\n  name: nightly\n{STEPS}", "nightly"),
        (f"metadata: # who\n\n    # it is\n    name: 'nightly'\n{STEPS}", "nightly"),
        (f"metadata:\n  labels:\n    name: label\n{STEPS}", None),
        (f"metadata: {{name: nightly, namespace: x}}\n{STEPS}", "nightly"),
        (f"metadata: {{namespace: x, name: nightly}}\n{STEPS}", "nightly"),
        (f"metadata: {{labels: {{name: label}}}}\n{STEPS}", None),
        (f"metadata: {{}}\n{STEPS}", None),
        ("", None),
    ],
)
def test_the_name_that_a_document_declares(tmp_path: Path, text: str, name: str | None) -> None:
    path = tmp_path / "d.yaml"
    path.write_text(text)
    assert lookup.declared_name(path) == name


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Documents:
    """A project whose root is the present directory."""
    dags = tmp_path / "configs" / "dags"
    dags.mkdir(parents=True)
    (dags / "backup.yaml").write_text("name: other\ntasks: [{id: a, run: 'true'}]\n")
    (dags / "steps.yaml").write_text(f"metadata:\n  name: nightly\n{STEPS}")
    monkeypatch.chdir(tmp_path)
    return Documents(Settings(root=tmp_path), Registry)


IN_THE_WAY: dict[str, Callable[[Path], object]] = {
    "nothing": lambda path: None,
    "a directory": lambda path: path.mkdir(),
    "a file": lambda path: path.write_text("#!/bin/sh\n"),
}


@pytest.mark.parametrize("put", IN_THE_WAY.values(), ids=IN_THE_WAY)
def test_a_name_is_found_whatever_else_has_it(project: Documents, put: Callable[[Path], object]) -> None:
    put(Path("backup"))
    for find in (project.find, project.at_root):
        assert find("backup")[0] == Path.cwd() / "configs/dags/backup.yaml"


@pytest.mark.parametrize(
    ("named", "file"),
    [
        ("nightly", "steps.yaml"),
        ("steps", "steps.yaml"),
        ("steps.yaml", "steps.yaml"),
        ("other", "backup.yaml"),
    ],
)
def test_a_document_has_its_files_name_and_its_own(project: Documents, named: str, file: str) -> None:
    assert project.find(named)[0] == Path.cwd() / "configs/dags" / file


def test_a_files_name_comes_before_what_another_document_declares(project: Documents) -> None:
    Path("configs/dags/other.yaml").write_text("tasks: [{id: a, run: 'true'}]\n")
    assert project.find("other")[0].name == "other.yaml"


def test_a_name_that_two_documents_declare_is_ambiguous(project: Documents) -> None:
    Path("configs/dags/more.yaml").write_text("name: other\ntasks: [{id: a, run: 'true'}]\n")
    with pytest.raises(NotFoundError) as error:
        project.find("other")
    assert error.value.hint == (
        "configs/dags/backup.yaml, configs/dags/more.yaml all have that name; give the path of one"
    )


def test_a_path_names_a_file(project: Documents) -> None:
    Path("mine").write_text("tasks: [{id: a, run: 'true'}]\n")
    assert project.find("mine") == (Path("mine"), "mine")
    assert project.find("./backup.yaml") == (Path("./backup.yaml"), "./backup.yaml")


@pytest.mark.parametrize("named", ["x" * 300, "ghost", "a\0b", "~nobody-of-that-name"])
def test_a_name_that_nothing_has_is_not_found(project: Documents, named: str) -> None:
    for find in (project.find, project.at_root):
        with pytest.raises(NotFoundError):
            find(named)


def test_a_directory_is_not_a_dag(project: Documents) -> None:
    Path("mine").mkdir()
    with pytest.raises(NotFoundError, match="DAG 'mine' not found"):
        project.find("mine")
