"""Values that a user gives arrive in a body as they were given, or are refused: none changes or disappears silently."""

from __future__ import annotations

import json

import pytest

from tests.acceptance.harness import Project

DAG = """
    params:
      title: untitled
      n: {type: integer, default: 1}
      day: {type: string, default: "${{ date(run.started_at, '%Y-%m-%d') }} ${{ env.MARK }}"}
    tasks:
      - {id: show, run: 'printf %s "$DAGRUN_PARAM_TITLE"; printf "[%s]" ${{ params.n }} ${{ params.day }}', params: {title: "${{ params.title }}"}}
    """


@pytest.mark.parametrize(
    "title",
    ["fix: typo", "1.10", "*.csv", "# x", "[1, 2", "{a: b}", "null", "no", "'q' \"p\" $HOME `id`", " é "],
)
def test_text_that_is_given_arrives_byte_for_byte(project: Project, title: str) -> None:
    project.write("dag.yaml", DAG)
    assert project.answer("run", "dag.yaml", "--param", f"title={title}", env={"MARK": "m"}).code == 0
    assert project.log("show").startswith(title + "[1]")


def test_all_errors_in_given_values_are_reported_at_once_and_quoted(project: Project) -> None:
    project.write("dag.yaml", DAG)
    run = project.answer("run", "dag.yaml", "--param", "n=three", "--param", "titel=x", "--param", "oops")
    assert run.code == 2
    for part in (
        "not string 'three'",
        "no parameter 'titel' (did you mean 'title'?)",
        "'oops' does not have the form name=value",
    ):
        assert part in run.err
    assert not (project.root / "logs").exists()


def test_a_default_is_evaluated_once_and_recorded(project: Project) -> None:
    project.write("dag.yaml", DAG)
    first = project.answer("run", "dag.yaml", "--run-id", "one", "-o", "json", env={"MARK": "first"})
    assert first.code == 0
    assert project.log("show").endswith(" first]")
    assert (
        project.answer("rerun", "one", "--from", "show", "--run-id", "two", env={"MARK": "second"}).code == 0
    )
    assert project.log("show").endswith(" first]")
    assert json.loads((project.root / "logs/runs/two/dag.json").read_text())["params"][2]["default"].endswith(
        " first"
    )


def test_a_parameter_that_a_resume_brings_has_its_value_for_good(project: Project) -> None:
    project.write("dag.yaml", "tasks: [{id: a, run: test -e ok}]\n")
    assert project.answer("run", "dag.yaml", "--run-id", "one").code == 1
    project.write(
        "dag.yaml",
        """
        params: {x: "${{ env.MARK }} ${{ run.id }}"}
        tasks: [{id: a, run: 'printf "[%s]" ${{ params.x }}; test -e ok'}]
        """,
    )
    assert project.answer("resume", "one", "--use-current", env={"MARK": "first"}).code == 1
    project.write("ok", "")
    assert project.answer("resume", "one", env={"MARK": "second"}).code == 0
    assert project.log("a", attempt=3) == "[first one]"


def test_a_dry_run_shows_what_a_default_comes_to_and_writes_nothing(project: Project) -> None:
    project.write("dag.yaml", DAG)
    plan = project.answer("run", "dag.yaml", "--dry-run", env={"MARK": "now"})
    assert plan.code == 0
    assert ' now"\n' in plan.out
    assert not (project.root / "logs").exists()


def test_a_default_that_comes_to_something_else_is_refused_before_anything_runs(project: Project) -> None:
    project.write(
        "dag.yaml", "params: {n: {type: integer, default: '${{ env.N }}'}}\ntasks: [{id: a, run: 'true'}]\n"
    )
    run = project.answer("run", "dag.yaml", env={"N": "x"})
    assert (run.code, run.out) == (2, "")
    assert "the default of parameter 'n' must be of type integer, not string 'x'" in run.err
    assert not (project.root / "logs").exists()


def test_files_of_variables_reach_every_task(project: Project) -> None:
    project.write(".env", "A=a\nB='b # $HOME'\n")
    project.write("conf/prod.env", "A=prod\n")
    project.write(
        "dag.yaml",
        """
        dotenv: [.env, conf/prod.env]
        env: {C: "${{ env.A }}!"}
        tasks: [{id: show, run: 'printf "%s|" "$A" "$B" "$C"'}]
        """,
    )
    assert project.answer("run", "dag.yaml").code == 0
    assert project.log("show") == "prod|b # $HOME|prod!|"


def test_a_file_of_variables_that_cannot_be_read_is_an_error_at_its_entry(project: Project) -> None:
    (project.root / "latin.env").write_bytes(b"A=1\nB=\xfc\n")
    project.write("dag.yaml", "dotenv: [latin.env, missing.env]\ntasks: [{id: a, run: 'true'}]\n")
    found = project.answer("validate", "dag.yaml")
    assert found.code == 2
    assert "dag.yaml:1:10: error: latin.env, line 2: byte 0xfc is not valid UTF-8 [not-utf8]" in found.out
    assert "dag.yaml:1:21: error: missing.env: there is no such file [missing-file]" in found.out
    assert project.answer("run", "dag.yaml").code == 2


def test_a_secret_file_that_is_no_text_is_a_clear_error(project: Project) -> None:
    (project.root / ".env").write_bytes(b"TOKEN=\xfc\xfc\xfc\xfc\n")
    project.write("dag.yaml", "secrets: [TOKEN]\ntasks: [{id: a, run: 'true'}]\n")
    run = project.answer("run", "dag.yaml")
    assert run.code == 2
    assert ".env:1:7: byte 0xfc is not valid UTF-8" in run.err


def test_a_comparison_of_text_with_a_number_fails_the_task_and_says_what_to_write(project: Project) -> None:
    project.write(
        "dag.yaml",
        """
        tasks:
          - {id: count, run: 'echo rows=3 >> "$DAGRUN_OUTPUT"'}
          - {id: load, run: 'true', depends_on: [count], if: tasks.count.outputs.rows == 3}
        """,
    )
    run = project.answer("run", "dag.yaml", "-o", "json")
    assert run.code == 1
    error = run.task("load")["error"]
    assert "'==' does not compare the text '3' with the number 3" in error
    assert "put the number in quotes" in error
