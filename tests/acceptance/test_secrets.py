"""A declared secret reaches the tasks that name it, and nothing that is written."""

from __future__ import annotations

import base64
import contextlib
import json
import re
from pathlib import Path

import pytest

from tests.acceptance.harness import Project, wait_for, whole_lines

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
        shown = open("/proc/self/environ").read() if sys.platform == "linux" else ""
        return {"seen": str([os.environ.get("API_TOKEN"), os.environ.get("TOKEN")]), "shown": "s3cr3t" in shown}
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
    assert run.task("look")["outputs"] == {"seen": "[None, None]", "shown": False}
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


WORDS = """
    name: words
    secrets: [A, B, C, D, E, F]
    params: {region: eu}
    on_error: continue
    tasks:
      - {id: test, run: 'echo "test=success-$X" >> "$DAGRUN_OUTPUT"; echo "year 2026: $X"', env: {X: "${{ secrets.A }}"}}
      - {id: success, depends_on: [test], run: test -f ready}
      - {id: run, depends_on: [success], workflow_ref: say, params: {region: "${{ params.region }}"}}
"""
LIKE_DAGRUNS_OWN = {"A": "success", "B": "2026", "C": "test", "D": "task_ok", "E": "eeee", "F": "task"}


def test_secrets_that_look_like_dagruns_own_words_harm_no_record(project: Project) -> None:
    project.workflows(
        """
        @workflow("say")
        def say(region: str):
            return {"count": 20261, "region": region, "done": True}
        """
    )
    project.write("dag.yaml", WORDS)
    env = LIKE_DAGRUNS_OWN
    first = project.dagrun("run", "dag.yaml", "-o", "json", env=env)
    assert [(task["id"], task["status"]) for task in first.json["tasks"]] == [
        ("test", "success"), ("success", "failed"), ("run", "skipped"),
    ]  # fmt: skip
    assert first.task("test")["outputs"] == {"***": "***-***"}
    project.write("ready", "")
    resumed = project.dagrun("resume", "-o", "json", env=env)
    assert resumed.code == 0
    assert resumed.task("run")["outputs"] == {"count": "***", "region": "eu", "done": True}
    assert project.names().count("task_start test") == 1
    assert project.log("test") == "year ***: ***\n"
    assert project.dagrun("status", "-o", "json").json == resumed.json
    assert "success" in project.dagrun("why", "latest", "success").out
    stream = whole_lines(project.root / "logs" / "orchestrator_events.jsonl")
    assert [line["event"] for line in stream] == [event["event"] for event in project.events()]


def test_a_parameter_that_held_a_secret_is_asked_for_again(project: Project) -> None:
    project.write(
        "dag.yaml",
        """
        secrets: [API_TOKEN]
        params: {token: {type: string, required: true}}
        tasks: [{id: a, run: 'test "${{ params.token }}" = "$EXPECTED" && test -f ready'}]
        """,
    )
    env = {"API_TOKEN": SECRET, "EXPECTED": SECRET}
    assert project.dagrun("run", "dag.yaml", "-p", f"token={SECRET}", env=env).code == 1
    project.write("ready", "")
    for command in ("resume", "rerun"):
        refused = project.dagrun(command, env=env)
        assert (refused.code, refused.out) == (2, "")
        assert "parameter 'token' held a secret" in refused.err
        assert "-p token=VALUE" in refused.err
    assert project.dagrun("rerun", "--run-id", "again", "-p", f"token={SECRET}", env=env).code == 0
    project.write("params.yaml", json.dumps({"token": SECRET}))
    run = project.dagrun("runs", "-o", "json").json["runs"][-1]["run_id"]
    assert project.dagrun("resume", run, "--params-file", "params.yaml", env=env).code == 0
    assert_nowhere(project)


def test_no_form_of_a_secret_is_written_by_a_run_in_the_background(project: Project) -> None:
    project.workflows(WORKFLOWS)
    project.write(
        "dag.yaml",
        """
        name: shells
        secrets: [API_TOKEN]
        params: {note: none}
        on_error: continue
        env: {TOKEN: "${{ secrets.API_TOKEN }}"}
        tasks:
          - {id: fail, workflow_ref: fail}
          - {id: leak, workflow_ref: leak}
          - id: shells
            shell: bash
            run: |
              set -x
              printf '%q %s\\n' "$TOKEN" "$(printf %s "user:$TOKEN" | base64)"
              : "$TOKEN"
              exec 2>&1; export -p
              echo "$TOKEN$TOKEN" >> "$DAGRUN_OUTPUT"
          - {id: wait, run: 'until test -f ready; do sleep 0.02; done; exit 1'}
        """,
    )
    ran = project.dagrun(
        "run", "dag.yaml", "--detach", "--run-id", "it", "-p", f"note={SECRET}", env={"API_TOKEN": SECRET}
    )
    assert ran.code == 0
    arguments = [command_line(pid) for pid in project.processes()]
    assert any("--request-from-stdin" in words for words in arguments)
    assert not any("s3cr3t" in words for words in arguments)
    project.write("ready", "")
    wait_for("the end of the run", lambda: "dag_done" in project.names("it") or None)
    shown = project.dagrun("status", "it", "-o", "json").json
    assert shown["params"] == {"note": "***"}
    assert "***" in (project.run_dir("it") / "detached.log").read_text()
    assert_nowhere(project)


def test_nothing_remains_of_a_secret_when_dagrun_is_killed(project: Project) -> None:
    project.write(
        "dag.yaml",
        """
        secrets: [API_TOKEN]
        params: {token: none}
        tasks:
          - id: a
            params: {token: "${{ params.token }}"}
            env: {TOKEN: "${{ secrets.API_TOKEN }}"}
            run: |
              echo "token=$TOKEN" >> "$DAGRUN_OUTPUT"; echo "$TOKEN"
              cp "$DAGRUN_PARAMS_FILE" begun; sleep 300
        """,
    )
    running = project.start("run", "dag.yaml", "-p", f"token={SECRET}", env={"API_TOKEN": SECRET})
    assert json.loads(project.wait_for_file("begun")) == {"token": SECRET}
    running.kill()
    project.finish(running)
    wait_for("the end of its processes", lambda: not project.processes())
    assert_nowhere(project)


def test_a_message_is_cut_after_it_is_masked(project: Project) -> None:
    project.workflows(
        """
        @workflow("late")
        def late():
            raise ValueError("x" * 3980 + os.environ["TOKEN"] * 9)

        @workflow("bad")
        def bad(number: int):
            return {}
        """
    )
    project.write(
        "dag.yaml",
        """
        secrets: [API_TOKEN]
        params: {text: none}
        on_error: continue
        tasks:
          - {id: late, workflow_ref: late, env: {TOKEN: "${{ secrets.API_TOKEN }}"}}
          - {id: bad, workflow_ref: bad, params: {number: "${{ params.text }}"}}
          - {id: each, for_each: "${{ params.text }}", run: 'true'}
          - {id: line, run: 'echo "${{ params.text }}" >> "$DAGRUN_OUTPUT"'}
        """,
    )
    text = "".join(f"{'-' * (70 - n)} {SECRET}" for n in range(0, 70, 3))
    run = project.dagrun("run", "dag.yaml", "-p", f"text={text}", env={"API_TOKEN": SECRET})
    assert run.code == 1
    for each in (run.out, run.err, *(path.read_text() for path in every_file(project.root / "logs"))):
        assert "s3c" not in each
    unfit = project.dagrun(
        "run", "dag.yaml", "-p", f"other={SECRET}", "-p", SECRET, env={"API_TOKEN": SECRET}
    )
    assert unfit.code == 2
    assert "***" in unfit.err
    assert "s3c" not in unfit.err


def test_an_expression_that_could_reach_a_secret_is_refused(project: Project) -> None:
    project.write(
        "dag.yaml",
        """
        secrets: [API_TOKEN]
        params: {name: TOKEN}
        env: {TOKEN: "${{ secrets.API_TOKEN }}"}
        tasks: [{id: a, run: 'echo ${{ env[params.name] }}'}]
        """,
    )
    run = project.dagrun("run", "dag.yaml", env={"API_TOKEN": SECRET})
    assert (run.code, run.out) == (2, "")
    assert "write env.NAME" in run.err
    assert not (project.root / "logs").exists()


def command_line(pid: int) -> str:
    """The arguments of a process; none when it has just ended."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode()
    return ""


def assert_nowhere(project: Project) -> None:
    """No recognisable part of the secret is in what dagrun wrote or printed."""
    for path in every_file(project.root / "logs"):
        text = path.read_bytes().decode("utf-8", "replace")
        assert "s3cr3t" not in text, path
        assert "quotes" not in text, path
        assert base64.b64encode(f"user:{SECRET}".encode()).decode()[8:16] not in text, path
    for text in project.printed:
        assert "s3cr3t" not in text


def every_file(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]
