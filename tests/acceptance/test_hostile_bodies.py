"""Bodies that leave traps behind: the attempt ends, its run with it, and the user reads why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.harness import Outcome, Project


def nested(depth: int) -> str:
    """A script that writes JSON outputs which are nested so deep, and hold a secret."""
    return f"""python3 -c 'd = {depth}; print("{{" + chr(34) + "v" + chr(34) + ":" + "[" * d + chr(34) + "long enough" + chr(34) + "]" * d + "}}")' > "$DAGRUN_OUTPUT\""""


# What each script does, and a part of what the user reads; None where the task is well all the same.
TRAPS: dict[str, tuple[str, str | None]] = {
    "output_is_a_directory": ('mkdir "$DAGRUN_OUTPUT"', "$DAGRUN_OUTPUT is not an ordinary file"),
    "output_is_a_full_directory": ('mkdir -p "$DAGRUN_OUTPUT/x/y"; exit 3', "exit code 3"),
    "output_is_a_pipe": ('mkfifo "$DAGRUN_OUTPUT"', "$DAGRUN_OUTPUT is not an ordinary file"),
    "output_is_a_link_to_itself": ('ln -s "$DAGRUN_OUTPUT" "$DAGRUN_OUTPUT"', "Too many levels of symbolic links"),
    "output_is_a_link_to_a_device": ('ln -s /dev/zero "$DAGRUN_OUTPUT"', "$DAGRUN_OUTPUT is not an ordinary file"),
    "output_is_no_text": ("printf 'a=\\377' > \"$DAGRUN_OUTPUT\"", "is not UTF-8"),
    "output_is_nested": (nested(600), "nested too deeply"),
    "output_is_nested_deeper": (nested(100_000), "nested"),
    "params_are_a_directory": ('rm -f "$DAGRUN_PARAMS_FILE"; mkdir "$DAGRUN_PARAMS_FILE"', None),
    "params_are_a_full_directory": (
        'rm -rf "$DAGRUN_PARAMS_FILE"; mkdir -p "$DAGRUN_PARAMS_FILE/x/y"', None
    ),
    "params_are_a_pipe": ('rm -rf "$DAGRUN_PARAMS_FILE"; mkfifo "$DAGRUN_PARAMS_FILE"', None),
    "artifacts_are_a_file": ('rm -rf "$DAGRUN_ARTIFACTS/$DAGRUN_TASK_ID"; mkdir -p "$DAGRUN_ARTIFACTS"; touch "$DAGRUN_ARTIFACTS/$DAGRUN_TASK_ID"', None),
    "log_is_gone": ('rm "$DAGRUN_RUN_DIR/logs/$DAGRUN_TASK_ID.1.log"', None),
    "log_is_a_pipe": ('cd "$DAGRUN_RUN_DIR/logs"; rm log_is_a_pipe.1.log; mkfifo log_is_a_pipe.1.log', None),
    "keeps_a_pipe": ("mkfifo kept.pipe; mkdir -p kept; mkfifo kept/pipe; touch kept/file", None),
    "descriptors_are_closed": ("exec 0<&- 1>&- 2>&-", None),
}  # fmt: skip

WORKFLOWS = """
    @workflow("nests")
    def nests(params: dict):
        value = "long enough"
        for _ in range(params["depth"]): value = [value]
        return {"value": value}

    @workflow("writes to every descriptor")
    def writes(params: dict):
        for fd in range(3, 64):
            try: os.write(fd, params["what"].encode("latin-1"))
            except OSError: pass

    @workflow("closes every descriptor")
    def closes(): os.closerange(0, 256)

    @workflow("removes its log's directory")
    def removes(params: dict):
        import shutil
        shutil.rmtree(os.environ["DAGRUN_RUN_DIR"] + "/scratch", ignore_errors=True)
"""

CALLS: dict[str, tuple[str, dict[str, Any], str | None]] = {
    "nests": ("nests", {"depth": 600}, "nested too deeply"),
    "writes_text": ("writes to every descriptor", {"what": "hello world\n"}, "cannot be read"),
    "writes_a_message": ("writes to every descriptor", {"what": "\0\0\0\2[]"}, "cannot be read"),
    "writes_another_message": ("writes to every descriptor", {"what": '\0\0\0\r{"op":"ended"}'}, "cannot be read"),
    "closes": ("closes every descriptor", {}, "the worker process exited with code 70 before the body ended"),
    "removes": ("removes its log's directory", {}, None),
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Project, Outcome]]:
    """One run of them all, one after the other: each is prepared after what the one before has left."""
    project = Project(tmp_path_factory.mktemp("traps"))
    project.workflows(WORKFLOWS)
    secret = {"SECRET": "${{ secrets.SECRET }}"}
    tasks: list[dict[str, Any]] = [
        {"id": name, "run": script, "env": secret if "nested" in name else {}, "timeout": "60s"}
        for name, (script, _) in TRAPS.items()
    ]
    for task in tasks:
        if task["id"] == "keeps_a_pipe":
            task["artifacts"] = ["kept"]
    tasks += [
        {"id": name, "workflow_ref": ref, "params": params, "timeout": "60s"}
        for name, (ref, params, _) in CALLS.items()
    ]
    dag = {"name": "dag", "on_error": "continue", "max_parallel": 1, "secrets": ["SECRET"], "tasks": tasks}
    project.write("dag.yaml", json.dumps(dag))
    try:
        outcome = project.answer("run", "dag.yaml", "-o", "json", env={"SECRET": "long enough"})
        project.assert_clean()
        yield project, outcome
    finally:
        project.tidy()


@pytest.mark.parametrize("name", [*TRAPS, *CALLS])
def test_the_attempt_ends_and_says_why(run: tuple[Project, Outcome], name: str) -> None:
    words = TRAPS[name][1] if name in TRAPS else CALLS[name][2]
    task = run[1].task(name)
    if words is None:
        assert (task["status"], task["error"]) == ("success", None)
    else:
        assert task["status"] == "failed"
        assert words in task["error"]


# What a task does to its run's directory, and a part of what the task below it, which needs that, fails with.
DAMAGE = {
    "rm outputs/a.1.json": "outputs/a.1.json is missing",
    "truncate -s 1000 outputs/a.1.json": "outputs/a.1.json was changed: it has 1000 bytes",
    "sed -i s/xxx/yyy/ outputs/a.1.json": "outputs/a.1.json was changed: its SHA-256",
    "rm outputs/a.1.json; mkfifo outputs/a.1.json": "outputs/a.1.json cannot be read: it is not an ordinary file",
    "rm -rf outputs": "outputs/a.1.json is missing",
    "rm -rf logs": "No such file or directory",
    "rm -rf logs; touch logs": "Not a directory",
    "mkfifo logs/b.1.log": "logs/b.1.log",
    "mkdir logs/b.1.log": "logs/b.1.log",
    "rm -rf scratch; touch scratch": "scratch",
}
BELOW: dict[str, dict[str, Any]] = {
    "command": {"run": 'test -r "$DAGRUN_PARAMS_FILE"'},
    "workflow": {"workflow_ref": "echo"},
    "expression": {"run": "true", "params": {"got": "${{ tasks.a.outputs.page }}"}},
    "condition": {"run": "true", "if": "tasks.a.outputs.page != ''"},
    "list": {"run": "true", "for_each": "${{ fromJSON(tasks.a.outputs.list) }}"},
}
ECHO = """
    @workflow("large")
    def large(): return {"page": "x" * 100_000, "list": "[1]"}

    @workflow("echo")
    def echo(params: dict): return None
"""


def after(project: Project, damage: str, below: dict[str, Any]) -> Outcome:
    """A run in which a task with large outputs ends, another does damage, and one below both begins."""
    project.workflows(ECHO)
    tasks = [
        {"id": "a", "workflow_ref": "large"},
        {"id": "damage", "run": f'cd "$DAGRUN_RUN_DIR"; {damage}', "depends_on": ["a"]},
        {"id": "b", "depends_on": ["a", "damage"], "timeout": "60s", **below},
        {"id": "c", "run": "true", "depends_on": ["b"], "trigger": "failure"},
    ]
    project.write("dag.yaml", json.dumps({"name": "dag", "tasks": tasks}))
    return project.answer("run", "dag.yaml", "-o", "json")


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_task_that_cannot_be_prepared_fails_alone(project: Project, damage: str) -> None:
    outcome = after(project, damage, BELOW["command"])
    failed = next(task for task in outcome.json["tasks"] if task["status"] == "failed")
    assert DAMAGE[damage] in failed["error"]
    project.assert_clean()


@pytest.mark.parametrize("damage", ["mkfifo scratch/b.1.params.json", "mkdir scratch/b.1.params.json"])
def test_what_lies_where_a_task_gets_its_parameters_is_replaced(project: Project, damage: str) -> None:
    outcome = after(project, damage, BELOW["command"])
    assert outcome.task("b")["status"] == "success"
    project.assert_clean()


@pytest.mark.parametrize("below", BELOW)
def test_a_task_that_needs_missing_outputs_fails_and_names_the_file(project: Project, below: str) -> None:
    outcome = after(project, "rm outputs/a.1.json", BELOW[below])
    task = outcome.task("b")
    assert task["status"] == "failed"
    assert "outputs/a.1.json is missing" in task["error"]
    assert outcome.task("c")["status"] == "success"
    project.assert_clean()


def test_a_run_whose_outputs_are_made_of_a_file_that_is_gone_fails_and_names_it(project: Project) -> None:
    project.workflows(ECHO)
    tasks = [
        {"id": "a", "workflow_ref": "large"},
        {"id": "b", "run": 'rm "$DAGRUN_RUN_DIR"/outputs/*', "depends_on": ["a"]},
    ]
    dag = {"name": "dag", "tasks": tasks, "outputs": {"page": "${{ tasks.a.outputs.page }}"}}
    project.write("dag.yaml", json.dumps(dag))
    outcome = project.answer("run", "dag.yaml", "-o", "json")
    assert outcome.json["status"] == "failed"
    assert "outputs/a.1.json is missing" in outcome.json["reason"]
