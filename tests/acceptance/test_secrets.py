"""A declared secret reaches the tasks that name it, and nothing that is written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.acceptance.harness import Project

SECRET = 's3cr3t"with/quotes'

WORKFLOWS = """
    import os, subprocess, sys, time

    SEEN_ON_IMPORT = os.environ.get("API_TOKEN")

    @workflow("leak")
    def leak():
        token = os.environ["TOKEN"]
        print("on import:", SEEN_ON_IMPORT, "inherited:", os.environ.get("API_TOKEN"))
        os.write(1, token[:4].encode())
        time.sleep(0.05)
        os.write(1, token[4:].encode() + b"\\n")
        subprocess.run(["sh", "-c", "(sleep 0.1; echo grandchild $TOKEN) & wait"])
        return {"token": token, token: [token]}

    @workflow("fail")
    def fail():
        raise ValueError("refused: " + os.environ["TOKEN"])

    @workflow("look")
    def look():
        return {"seen": str([os.environ.get("API_TOKEN"), os.environ.get("TOKEN")])}
"""

DAG = """
    name: secretive
    secrets: [API_TOKEN]
    params: {note: none}
    on_error: continue
    tasks:
      - {id: leak, workflow_ref: leak, env: {TOKEN: "${{ secrets.API_TOKEN }}"}}
      - {id: fail, workflow_ref: fail, env: {TOKEN: "${{ secrets.API_TOKEN }}"}}
      - {id: look, workflow_ref: look, depends_on: [leak]}
      - id: script
        env: {TOKEN: "Bearer ${{ secrets.API_TOKEN }}"}
        run: |
          printf '%s' "${TOKEN%??????}"; sleep 0.05; printf '%s\\n' "$TOKEN" | tail -c 7
          echo "token=$TOKEN" >> "$DAGRUN_OUTPUT"
          (sleep 0.2; echo "later $TOKEN") &
          wait
      - {id: other, run: 'echo "[$API_TOKEN][$TOKEN]"', depends_on: [script]}
"""


def test_a_secret_is_in_nothing_that_is_written(project: Project) -> None:
    project.workflows(WORKFLOWS)
    project.write("dag.yaml", DAG)
    run = project.dagrun("run", "dag.yaml", "-p", f"note={SECRET}", env={"API_TOKEN": SECRET})
    assert run.code == 1
    for text in (run.out, run.err, *(path.read_text() for path in every_file(project.root / "logs"))):
        assert SECRET not in text
        assert SECRET.replace('"', '\\"') not in text
        assert "with/quotes" not in text
    assert "ValueError: refused: ***" in run.err
    assert "grandchild ***" in project.log("leak")
    assert re.fullmatch(r"Bearer \*\*\*\s+later Bearer \*\*\*\s+", project.log("script"))


def test_only_tasks_that_name_a_secret_have_it(project: Project) -> None:
    project.workflows(WORKFLOWS)
    project.write("dag.yaml", DAG)
    run = project.dagrun("run", "dag.yaml", "-o", "json", env={"API_TOKEN": SECRET})
    assert project.log("leak").startswith("on import: None inherited: None")
    assert run.task("look")["outputs"] == {"seen": "[None, None]"}
    assert project.log("other") == "[][]\n"


def test_a_secret_may_stand_in_dotenv(project: Project) -> None:
    project.write(".env", f"API_TOKEN='{SECRET}'\n")
    project.write(
        "dag.yaml",
        """
        secrets: [API_TOKEN]
        tasks: [{id: a, run: 'test "$T" = "$EXPECTED"', env: {T: "${{ secrets.API_TOKEN }}"}}]
        """,
    )
    assert project.dagrun("run", "dag.yaml", env={"EXPECTED": SECRET}).code == 0


@pytest.mark.parametrize(("value", "why"), [("", "is not set"), ("abc", "fewer than 4 characters")])
def test_a_secret_that_cannot_be_masked_or_found_is_refused(project: Project, value: str, why: str) -> None:
    project.write("dag.yaml", "secrets: [API_TOKEN]\ntasks: [{id: a, run: 'true'}]\n")
    run = project.dagrun("run", "dag.yaml", env={"API_TOKEN": value})
    assert (run.code, run.out) == (2, "")
    assert why in run.err
    assert not (project.root / "logs").exists()


def every_file(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]
