"""Documents that cannot be run: one clear error, exit code 2, nothing written."""

from __future__ import annotations

import pytest

from tests.acceptance.harness import Project

ONE = "tasks: [{id: a, run: 'true'}]\n"
TASK = "name: dag\ntasks:\n  - id: a\n    run: 'true'\n    "


def bomb() -> str:
    lines = ["name: dag", "params:", "  a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"  a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    return "\n".join(lines) + "\n" + ONE


def ring(count: int) -> str:
    tasks = "".join(
        f"  - {{id: t{i}, run: 'true', depends_on: [t{(i + 1) % count}]}}\n" for i in range(count)
    )
    return "name: ring\ntasks:\n" + tasks


# The text of the file, the line that is reported (0: none), and a part of the message.
BAD: dict[str, tuple[str | bytes, int, str]] = {
    "empty": ("", 1, "empty"),
    "comment_only": ("# nothing yet\n", 1, "empty"),
    "list": ("- a\n- b\n", 1, "mapping"),
    "not_utf8": (b"name: caf\xe9\n" + ONE.encode(), 1, "UTF-8"),
    "utf16": ("name: dag\n".encode("utf-16"), 1, "UTF-8"),
    "nul": (b"name: d\0g\n" + ONE.encode(), 1, ""),
    "tabs": ("name: dag\ntasks:\n\t- id: a\n", 3, "tab"),
    "unclosed": ("name: [dag\n" + ONE, 0, ""),
    "twice": ("name: dag\nname: other\n" + ONE, 2, "name"),
    "bomb": (bomb(), 0, "alias"),
    "brackets": ("name: dag\nparams: {a: " + "[" * 30_000 + "]" * 30_000 + "}\n" + ONE, 0, "deep"),
    "ring": (ring(10_000), 0, "CycleDetectedError: Cycle detected in DAG 'ring': t0 -> t1 -> "),
    "itself": (TASK + "depends_on: [a]\n", 0, "CycleDetectedError: Cycle detected in DAG 'dag': a -> a"),
    "outside": ("name: dag\ntasks: [{id: ../x, run: 'true'}]\n", 2, "../x"),
    "no_tasks": ("name: dag\ntasks: []\n", 2, "ValidationError: DAG must have at least one task"),
    "same_id": (
        "name: dag\ntasks:\n  - {id: a, run: x}\n  - {id: a, run: y}\n",
        4,
        "Duplicate task IDs found: a",
    ),
    "nobody": (TASK + "depends_on: [b]\n", 5, "Task 'a' depends on non-existent task 'b'"),
    "near_miss": (TASK + "dependson: []\n", 5, "did you mean 'depends_on'?"),
    "number_for_text": (TASK + "working_dir: 3\n", 5, "working_dir"),
    "long_time": (TASK + "timeout: soon\n", 5, "timeout"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_document_is_refused_where_it_is_wrong(project: Project, name: str) -> None:
    text, line, words = BAD[name]
    project.write("bad.yaml", text.encode() if isinstance(text, str) else text)
    before = project.files()
    run = project.answer("run", "bad.yaml")
    assert (run.code, run.out) == (2, "")
    assert run.err.startswith("Error: ")
    assert words.lower() in run.err.lower()
    assert f"bad.yaml:{line}:" in run.err or not line
    assert len(run.err) < 2000  # a sentence, not the document
    assert project.files() == before


def test_a_directory_a_missing_file_and_50_megabytes_are_refused_at_once(project: Project) -> None:
    project.write("dags/inner.yaml", "name: inner\n" + ONE)
    project.write(
        "large.yaml", b"name: dag\ndescription: |\n" + b"  some more of the same\n" * 2_100_000 + ONE.encode()
    )
    report = project.answer("validate", "dags", "none.yaml", "large.yaml", "dags/inner.yaml")
    assert report.code == 2
    assert "dags:1:1: error: " in report.out
    assert "none.yaml:1:1: error: " in report.out
    assert "large.yaml:1:1: error: " in report.out
    assert "dags/inner.yaml: valid (inner, 1 task)\n" in report.out
    assert report.err == "3 errors in 3 of 4 files\n"
    assert {project.answer("run", name).code for name in ("dags", "none.yaml", "large.yaml")} == {2}


def test_all_errors_of_a_file_are_reported_at_once_with_their_lines(project: Project) -> None:
    project.write(
        "bad.yaml",
        """\
        name: dag
        on_eror: continue
        tasks:
          - id: a
            workflow_ref: wekly_report_pack
          - id: b
            run: echo
            retries: -1
            depends_on: [c]
        """,
    )
    report = project.answer("validate", "bad.yaml")
    assert report.code == 2
    reported = [line for line in report.out.splitlines() if line.startswith("bad.yaml:")]
    assert sorted(line.split(": error: ")[0] for line in reported) == [
        "bad.yaml:2:1", "bad.yaml:5:19", "bad.yaml:8:14", "bad.yaml:9:18",
    ]  # fmt: skip
    assert "did you mean 'on_error'?" in report.out
    assert "RunnerError: Unknown workflow: wekly_report_pack" in report.out
    assert "did you mean 'weekly_report_pack'?" in report.out
    assert "    8 |     retries: -1\n      |              ^\n" in report.out


def test_what_is_found_only_at_the_start_of_a_task_fails_that_task(project: Project) -> None:
    project.workflows("@workflow('here')\ndef here(): return {'cwd': os.getcwd()}\n")
    project.write("file", "not a directory")
    project.write(
        "dag.yaml",
        """
        name: dag
        on_error: continue
        tasks:
          - {id: nowhere, run: pwd, working_dir: no/where}
          - {id: in_a_file, run: pwd, working_dir: file}
          - {id: python_nowhere, workflow_ref: here, working_dir: no/where}
          - {id: no_shell, run: pwd, shell: nosuchshell}
          - {id: fine, run: pwd}
        """,
    )
    run = project.answer("run", "dag.yaml", "-o", "json")
    assert run.code == 1
    errors = {task["id"]: task["error"] for task in run.json["tasks"]}
    nowhere = f"working_dir {project.root}/no/where: No such file or directory"
    assert errors == {
        "nowhere": nowhere,
        "in_a_file": f"working_dir {project.root}/file: Not a directory",
        "python_nowhere": nowhere,
        "no_shell": "cannot run 'nosuchshell': No such file or directory",
        "fine": None,
    }


def test_strict_turns_a_warning_into_an_error(project: Project) -> None:
    project.write("odd.yaml", "tasks:\n  - {id: a, run: 'true', if: false}\n")
    assert project.answer("validate", "odd.yaml").code == 0
    run = project.answer("validate", "odd.yaml", "--strict")
    assert run.code == 2
    assert "odd.yaml:2:30: error: 'a' can never start: 'if' is always false [unreachable]" in run.out
