"""Documents whose tasks run other DAGs: each is found, and all are checked together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dagrun import settings
from dagrun.app.documents import Documents
from dagrun.documents.yaml import DocumentError
from dagrun.registry import Registry
from dagrun.runtime.run_request import RunRequest

Write = Callable[[str, str], None]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Documents:
    """The documents of an empty project, which is the current directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dagrun.toml").touch()
    return Documents(settings.load(start=tmp_path), Registry)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file of the project."""

    def write(name: str, text: str) -> None:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    return write


def messages(documents: Documents, name: str) -> list[str]:
    """The errors in a document and in those below it, each with its place."""
    return [
        f"{each.place}: {each.message}"
        for report in documents.reports(*documents.find(name))
        for each in report.errors
    ]


def runs(name: str, *dags: str) -> str:
    """A document whose tasks run these DAGs."""
    tasks = "".join(f"  - {{id: t{i}, dag: {dag}}}\n" for i, dag in enumerate(dags))
    return f"name: {name}\ntasks:\n{tasks or '  - {id: t, run: x}'}"


def test_a_child_is_found_by_path_from_the_project_root_by_file_name_and_by_name(
    project: Documents, write: Write
) -> None:
    write("configs/dags/file.yaml", runs("declared"))
    write("sub/other.yaml", runs("other"))
    write("sub/a.yaml", runs("a", "sub/other.yaml", "file", "file.yaml", "declared"))
    assert messages(project, "sub/a.yaml") == []


def test_a_child_may_be_of_any_dialect(project: Documents, write: Write) -> None:
    write("configs/dags/k.yaml", "spec: {steps: [{name: a, run: x}]}")
    write("configs/dags/j.yaml", "jobs: {a: {run: x}}")
    write("a.yaml", "jobs: {x: {dag: k}, y: {dag: j}}")
    write(
        "b.yaml",
        "spec: {steps: [{name: x, orchestrationRef: {name: k}}, {name: y, kind: SubOrchestration, dag: j}]}",
    )
    assert messages(project, "a.yaml") + messages(project, "b.yaml") == []


def test_one_that_does_not_exist_is_reported_where_it_is_named(project: Documents, write: Write) -> None:
    write("configs/dags/backup.yaml", runs("backup"))
    write("a.yaml", runs("a", "bakup", "sub/x.yaml"))
    assert messages(project, "a.yaml") == [
        "a.yaml:3:19: DAG 'bakup' not found",
        "a.yaml:4:19: DAG 'sub/x.yaml' not found",
    ]
    write("b.yaml", "spec: {steps: [{name: x, orchestrationRef: {name: nope}}]}")
    assert messages(project, "b.yaml") == ["b.yaml:1:51: DAG 'nope' not found"]


def test_what_is_wrong_with_a_child_is_reported_in_its_own_file_and_keeps_all_above_it_from_running(
    project: Documents, write: Write
) -> None:
    write("a.yaml", runs("a", "b.yaml"))
    write("b.yaml", runs("b", "c.yaml"))
    write("c.yaml", "name: c\ntasks: [{id: x, rn: y}]")
    assert messages(project, "a.yaml") == [
        "a.yaml:3:19: DAG 'b' cannot run: b.yaml has errors",
        "b.yaml:3:19: DAG 'c' cannot run: c.yaml has errors",
        "c.yaml:2:17: unknown key 'rn'",
    ]
    with pytest.raises(DocumentError) as caught:
        project.prepare(RunRequest(dag="a.yaml"))
    assert [str(each.place) for each in caught.value.findings] == [
        "a.yaml:3:19",
        "b.yaml:3:19",
        "c.yaml:2:17",
    ]


def test_a_child_that_runs_itself_over_three_files_is_an_error_that_shows_the_chain(
    project: Documents, write: Write
) -> None:
    write("a.yaml", runs("a", "b.yaml"))
    write("b.yaml", runs("b", "c.yaml"))
    write("c.yaml", runs("c", "a.yaml"))
    assert messages(project, "a.yaml") == [
        "a.yaml:3:19: DAG 'a' would run itself: a -> b -> c -> a",
        "b.yaml:3:19: DAG 'b' would run itself: b -> c -> a -> b",
        "c.yaml:3:19: DAG 'c' would run itself: c -> a -> b -> c",
    ]
    write("d.yaml", runs("d", "a.yaml"))
    assert messages(project, "d.yaml")[0] == "d.yaml:3:19: DAG 'a' would run itself: d -> a -> b -> c -> a"
    write("e.yaml", runs("e", "./e.yaml"))
    assert messages(project, "e.yaml") == ["e.yaml:3:19: DAG 'e' would run itself: e -> e"]


def test_a_chain_of_sixteen_child_runs_is_allowed_and_one_of_seventeen_is_not(
    project: Documents, write: Write
) -> None:
    for n in range(17):
        write(f"d{n}.yaml", runs(f"d{n}", f"d{n + 1}.yaml"))
    write("d17.yaml", runs("d17"))
    assert messages(project, "d1.yaml") == []
    chain = " -> ".join(f"d{n}" for n in range(18))
    assert messages(project, "d0.yaml") == [
        f"d0.yaml:3:19: child runs are nested too deeply, and 16 levels are allowed: {chain}"
    ]


def test_a_diamond_is_no_chain_that_comes_back(project: Documents, write: Write) -> None:
    for n in range(8):
        write(f"d{n}.yaml", runs(f"d{n}", *[f"d{n + 1}.yaml"] * 8))
    write("d8.yaml", runs("d8"))
    assert messages(project, "d0.yaml") == []


CHILD = """
name: child
params:
  region: {type: string, required: true}
  count: {type: integer, default: 1}
  size: {enum: [s, m], default: s}
  a__rows: {type: integer}
tasks: [{id: x, run: "true"}]
"""


@pytest.mark.parametrize(
    ("params", "reported"),
    [
        ("{region: eu}", []),
        ("{region: eu, count: '3', size: m}", []),
        ("{region: '${{ params.r }}', count: '${{ params.r }}'}", []),
        ("{}", ["a.yaml:4:16: DAG 'child' needs the parameter 'region'"]),
        ("{region: eu, regoin: us}", ["a.yaml:4:44: DAG 'child' has no parameter 'regoin'"]),
        (
            "{region: 5}",
            [
                "a.yaml:4:40: DAG 'child': parameter 'region' must be of type string, not integer 5; put it in quotes"
            ],
        ),
        (
            "{region: eu, count: many}",
            ["a.yaml:4:51: DAG 'child': parameter 'count' must be of type integer, not string 'many'"],
        ),
        (
            "{region: eu, size: xl}",
            ["a.yaml:4:50: DAG 'child': parameter 'size' must be one of s, m, not string 'xl'"],
        ),
    ],
)
def test_parameters_are_checked_against_those_that_the_child_declares(
    project: Documents, write: Write, params: str, reported: list[str]
) -> None:
    write("configs/dags/child.yaml", CHILD)
    write("a.yaml", f"name: a\nparams: {{r: eu}}\ntasks:\n- {{id: t, dag: child, params: {params}}}\n")
    assert messages(project, "a.yaml") == reported


def test_a_dependency_may_give_a_required_parameter(project: Documents, write: Write) -> None:
    write("configs/dags/child.yaml", "params: {a__n: {required: true}}\ntasks: [{id: x, run: 'true'}]")
    write("a.yaml", "name: d\ntasks: [{id: a, run: x}, {id: b, dag: child, depends_on: [a]}]")
    assert messages(project, "a.yaml") == []


def test_a_dag_that_is_an_expression_is_checked_when_it_starts(project: Documents, write: Write) -> None:
    write("a.yaml", "name: a\nparams: {p: x}\ntasks: [{id: t, dag: '${{ params.p }}', params: {q: 1}}]")
    assert messages(project, "a.yaml") == []


def test_the_environment_of_a_task_does_not_reach_a_child_run_and_is_an_error(
    project: Documents, write: Write
) -> None:
    write("configs/dags/child.yaml", runs("child"))
    write("a.yaml", "name: a\ntasks:\n- {id: t, dag: child, env: {A: b}, working_dir: /tmp}")
    assert messages(project, "a.yaml") == [
        "a.yaml:3:23: 'env' has no effect with 'dag'",
        "a.yaml:3:36: 'working_dir' has no effect with 'dag'",
    ]


def test_a_document_that_has_not_changed_is_read_once_for_many_child_runs(
    project: Documents, write: Write
) -> None:
    write("configs/dags/child.yaml", runs("child", "low"))
    write("configs/dags/low.yaml", runs("low"))
    graph = project.child_graph("child")[2]
    assert project.child_graph("child")[2] is graph
    write("configs/dags/low.yaml", "tasks: 5")
    with pytest.raises(Exception, match=r"DAG 'child' cannot run: .*'low' cannot run.*, and 1 more"):
        project.child_graph("child")
