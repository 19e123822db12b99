"""A run that goes well: what it prints, what it leaves, and what can be asked about it afterwards."""

from __future__ import annotations

import json
import re
import stat

from tests.acceptance.harness import Project

WORKFLOWS = """
    import dataclasses
    from pydantic import BaseModel

    class Brief(BaseModel):
        title: str
        pages: int = 1

    @dataclasses.dataclass
    class Report:
        rows: list

    @workflow("collect")
    def collect(count: int, since: str = "monday") -> dict:
        "Collect things."
        print("collecting", count, type(count).__name__)
        return {"items": list(range(count)), "since": since}

    @workflow("report")
    async def report(params: dict) -> Report:
        await asyncio.sleep(0)
        return Report(rows=params["collect__items"])

    @workflow("brief")
    def brief(ctx: TaskContext, report__rows: list[int], **rest) -> Brief:
        ctx.log.info("%s.%s of %s", ctx.task_id, ctx.attempt, ctx.run_id)
        (ctx.artifacts / "brief.txt").write_text("brief")
        return Brief(title=f"{len(report__rows)} rows")

    @workflow("publish")
    def publish(params):
        return Result({"seen": sorted(params)}, changed=False)
"""

CHAIN = """
    name: chain
    tenant_id: acme
    params: {region: eu, size: {type: integer, default: 1, enum: [1, 2]}}
    tasks:
      - {id: collect, workflow_ref: collect, params: {count: "3"}}
      - {id: report, workflow_ref: report, depends_on: [collect]}
      - {id: brief, workflow_ref: brief, depends_on: [report]}
      - id: count
        run: |
          echo "reading $DAGRUN_PARAM_REPORT__ROWS"
          echo "rows=3" >> "$DAGRUN_OUTPUT"
        depends_on: [report]
      - {id: publish, workflow_ref: publish, params: {own: 1}, depends_on: [brief, count]}
"""


def chain(project: Project) -> None:
    project.workflows(WORKFLOWS)
    project.write("configs/dags/chain.yaml", CHAIN)


def test_a_run_ends_with_the_report_and_leaves_its_files(project: Project) -> None:
    chain(project)
    run = project.dagrun("run", "chain")
    assert run.code == 0, run.err
    run_id = project.run_dir().name
    assert re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{6}", run_id)
    assert re.sub(r"\d+\.\d\ds", "T", run.out) == (
        "DAG EXECUTION COMPLETE\n"
        "DAG: chain\n"
        f"Run: {run_id}\n"
        "Status: success\n"
        "Tasks Succeeded: 5\n"
        "Tasks Failed: 0\n"
        "Duration: T\n"
        "5 tasks: 4 changed, 1 unchanged\n"
    )
    assert "collect | collecting 3 int" in run.err
    assert project.log("collect") == "collecting 3 int\n"
    assert project.log("count") == "reading [0, 1, 2]\n"
    assert project.log("brief") == f"INFO brief.1 of {run_id}\n"

    directory = project.run_dir()
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert json.loads((directory / "dag.json").read_text())["name"] == "chain"
    assert (directory / "artifacts" / "brief" / "brief.txt").read_text() == "brief"
    assert not (directory / "scratch").exists()

    outputs = {
        event["task_id"]: event["outputs"] for event in project.events() if event["event"] == "task_ok"
    }
    assert outputs == {
        "collect": {"items": [0, 1, 2], "since": "monday"},
        "report": {"rows": [0, 1, 2]},
        "brief": {"title": "3 rows", "pages": 1},
        "count": {"rows": "3"},
        "publish": {"seen": ["brief__pages", "brief__title", "count__rows", "own"]},
    }


def test_the_journal_and_the_stream_have_the_same_events_and_only_the_journal_has_outputs(
    project: Project,
) -> None:
    chain(project)
    assert project.answer("run", "chain", "-q").code == 0
    journal = project.events()
    stream = [
        json.loads(line)
        for line in (project.root / "logs/orchestrator_events.jsonl").read_text().splitlines()
    ]
    assert [{k: v for k, v in event.items() if k != "outputs"} for event in journal] == stream
    names = project.names()
    assert names[:3] == ["dag_start", "task_start collect", "task_ok collect"]
    assert names[-2:] == ["task_ok publish", "dag_done"]
    start, done = journal[0], journal[-1]
    assert (start["task_count"], start["tenant"], start["params"]) == (5, "acme", {"region": "eu", "size": 1})
    assert (done["status"], done["tasks_succeeded"], done["tasks_failed"]) == ("success", 5, 0)
    for event in journal:
        assert list(event)[:2] == ["timestamp", "event"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["timestamp"])
        assert event["run_id"] == project.run_dir().name


def test_a_dry_run_shows_the_plan_and_writes_nothing(project: Project) -> None:
    chain(project)
    before = project.files()
    run = project.answer("run", "chain", "--dry-run")
    assert run.out == (
        "DRY RUN: DAG 'chain'\n"
        "Tenant: acme\n"
        "Tasks: 5\n"
        "\n"
        "Execution Plan:\n"
        "  1. collect (workflow: collect, depends_on: none)\n"
        "  2. report (workflow: report, depends_on: collect)\n"
        "  3. brief (workflow: brief, depends_on: report)\n"
        '  4. count (shell: echo "reading $DAGRUN_PARAM_REPORT__ROWS", depends_on: report)\n'
        "  5. publish (workflow: publish, depends_on: brief, count)\n"
    )
    assert (run.code, run.err) == (0, "")
    assert project.answer("run", "chain", "--dry-run", "-o", "json").json["order"] == [
        "collect", "report", "brief", "count", "publish",
    ]  # fmt: skip
    assert project.answer("validate", "chain").code == 0
    assert project.files() == before


def test_json_is_the_whole_of_stdout(project: Project) -> None:
    chain(project)
    run = project.answer("run", "chain", "-o", "json", "-p", "region=us")
    assert run.err == ""
    shape = run.json
    assert shape["params"] == {"region": "us", "size": 1}
    assert (shape["dag_name"], shape["tenant"], shape["status"]) == ("chain", "acme", "success")
    assert shape["counts"]["success"] == 5
    assert run.task("collect")["outputs"]["items"] == [0, 1, 2]
    assert run.task("publish")["changed"] is False
    status = project.answer("status", "-o", "json")
    assert status.json == shape
    listed = project.answer("runs", "-o", "json").json["runs"]
    assert [each["run_id"] for each in listed] == [shape["run_id"]]
    validated = project.answer("validate", "chain", "-o", "json").json
    assert validated["valid"] is True
    assert [(file["dag"], file["errors"]) for file in validated["files"]] == [("chain", [])]
    listing = project.answer("workflows", "-o", "json").json["workflows"]
    assert {"collect", "report", "brief", "publish"} <= {each["name"] for each in listing}


def test_quiet_says_nothing_when_all_is_well_and_only_errors_when_not(project: Project) -> None:
    project.write("ok.yaml", "name: ok\ntasks: [{id: a, run: echo hello}]\n")
    project.write("bad.yaml", "name: bad\ntasks: [{id: a, run: echo hello; exit 3}]\n")
    assert project.answer("run", "ok.yaml", "-q").__dict__ == {"code": 0, "out": "", "err": ""}
    run = project.answer("run", "bad.yaml", "-q")
    assert (run.code, run.out) == (1, "")
    assert run.err == "Error: RunnerError: Task 'a' failed after 1 attempt: exit code 3\n"


def test_runs_are_named_by_id_by_prefix_and_as_latest(project: Project) -> None:
    project.write("one.yaml", "name: one\ntasks: [{id: a, run: echo hello}]\n")
    for name in ("night-1", "night-2", "day-1"):
        assert project.answer("run", "one.yaml", "-q", "--run-id", name).code == 0
    taken = project.answer("run", "one.yaml", "--run-id", "day-1")
    assert taken.code == 2
    assert taken.err.startswith("Error: the run id 'day-1' is taken")
    assert project.answer("run", "one.yaml", "--run-id", "../out").code == 2
    assert "Run: day-1\n" in project.answer("status", "da").out
    assert "Run: day-1\n" in project.answer("status").out
    assert "Run: night-2\n" in project.answer("status", "night-2").out
    ambiguous = project.answer("status", "night")
    assert ambiguous.code == 2
    assert "'night' names 2 runs" in ambiguous.err
    unknown = project.answer("logs", "evening")
    assert (unknown.code, "run 'evening' not found" in unknown.err) == (2, True)
    assert project.answer("logs", "latest", "a").out == "hello\n"
    assert project.answer("logs", "latest").out == "a.1 | hello\n"
    listed = [line.split()[0] for line in project.answer("runs").out.splitlines()[1:]]
    assert listed == ["day-1", "night-2", "night-1"]
    assert (project.root / "out").exists() is False


def test_wrong_parameters_are_reported_all_at_once_and_nothing_runs(project: Project) -> None:
    chain(project)
    before = project.files()
    run = project.answer("run", "chain", "-p", "regoin=us", "-p", "size=big", "-p", "size", "-p", "region=[")
    assert run.code == 2
    lines = [line for line in run.err.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 3  # a region is text, and may be any
    assert "did you mean 'region'?" in run.err
    assert "parameter 'size' must be of type integer, not string" in run.err
    assert project.files() == before


def test_a_name_that_does_not_exist_gets_the_nearest_that_does(project: Project) -> None:
    chain(project)
    run = project.answer("run", "chian")
    assert (run.code, run.out) == (2, "")
    assert run.err == "Error: DAG 'chian' not found\n  did you mean 'chain'?\n"
    as_json = project.answer("run", "chian", "-o", "json")
    assert (as_json.code, as_json.err) == (2, "")
    assert as_json.json["error"]["message"] == "DAG 'chian' not found"
    missing = project.answer("run", "nowhere/chain.yaml")
    assert missing.code == 2
    assert "nowhere/chain.yaml" in missing.err
    assert project.answer("run").code == 2
    assert project.answer("runn").code == 2
    assert project.answer("run", "chain", "--max-parallel", "0").code == 2


def test_commands_work_from_a_directory_below_the_project(project: Project) -> None:
    project.write("deep/down/one.yaml", "name: one\ntasks: [{id: a, run: pwd}]\n")
    run = project.finish(project.start("run", "one.yaml", "-q", cwd=project.root / "deep/down"))
    assert run.code == 0, run.err
    assert project.log("a").strip() == str(project.root)


def test_retries_happen_and_are_reported(project: Project) -> None:
    project.write("dag.yaml", "name: dag\ntasks: [{id: a, retries: 2, run: 'test $DAGRUN_ATTEMPT = 3'}]\n")
    run = project.answer("run", "dag.yaml", "-o", "json")
    assert run.code == 0
    assert run.task("a")["attempt"] == 3
    assert project.names() == [
        "dag_start", "task_start a", "task_retry a", "task_start a", "task_retry a", "task_start a",
        "task_ok a", "dag_done",
    ]  # fmt: skip
    project.write("dag.yaml", "name: dag\ntasks: [{id: a, retries: 2, run: exit 4}]\n")
    assert (
        "Error: RunnerError: Task 'a' failed after 3 attempts: exit code 4"
        in project.answer("run", "dag.yaml").err
    )
