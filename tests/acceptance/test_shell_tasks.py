"""Shell tasks: how they end, what they receive, what they hand on."""

from __future__ import annotations

import json

from tests.acceptance.harness import Outcome, Project


def run(project: Project, tasks: dict[str, dict[str, object]]) -> Outcome:
    """Run the tasks side by side, each for itself."""
    listed = [{"id": name, **task} for name, task in tasks.items()]
    project.write("dag.yaml", json.dumps({"name": "dag", "on_error": "continue", "tasks": listed}))
    return project.dagrun("run", "dag.yaml", "-o", "json")


def test_how_a_command_can_end(project: Project) -> None:
    outcome = run(
        project,
        {
            "well": {"run": "echo fine; exit 0"},
            "exits": {"run": "exit 3"},
            "killed": {"run": "kill -KILL $$"},
            "crashes": {"run": "kill -SEGV $$"},
            "first_fails": {"commands": ["echo one", "false", "echo two"]},
            "unseen_by_set_e": {"commands": ["echo one", "false && true", "echo two"]},
            "unknown_command": {"run": "no-such-command --now"},
            "too_slow": {"run": "trap '' TERM; sleep 300", "timeout": "5s"},
            "stops_politely": {"run": "trap 'exit 0' TERM; sleep 300 & wait", "timeout": "5s"},
            "too_long": {"run": "true #" + "x" * 200_000},
        },
    )
    facts = {fact["task_id"]: fact for fact in project.events() if fact["event"] == "task_fail"}
    assert {name: (fact["error"], fact.get("exit_code")) for name, fact in facts.items()} == {
        "exits": ("exit code 3", 3),
        "killed": ("killed by SIGKILL", 137),
        "crashes": ("killed by SIGSEGV", 139),
        "first_fails": ("exit code 1", 1),
        "unseen_by_set_e": ("exit code 1", 1),
        "unknown_command": ("exit code 127", 127),
        "too_slow": ("timed out after 5s", 137),
        "stops_politely": ("timed out after 5s", 0),
        "too_long": (
            "cannot run 'sh': the script, or the task's environment, is too long for one command line", 127,
        ),
    }  # fmt: skip
    assert outcome.json["status"] == "partial"
    assert project.log("well") == "fine\n"
    assert project.log("first_fails") == project.log("unseen_by_set_e") == "one\n"
    assert "no-such-command" in project.log("unknown_command")


def test_outputs_may_be_written_in_three_forms(project: Project) -> None:
    outcome = run(
        project,
        {
            "pairs": {"run": "echo a=1 >> $DAGRUN_OUTPUT; echo 'b=x = y' >> $DAGRUN_OUTPUT"},
            "block": {"run": "printf 'text<<END\\none\\n\\ntwo=2\\nEND\\nafter=1\\n' > $DAGRUN_OUTPUT"},
            "object": {"run": """echo '{"n": 1, "list": [1, null, "x"]}' > $DAGRUN_OUTPUT"""},
            "nothing": {"run": "true"},
            "neither": {"run": "echo 'just words' > $DAGRUN_OUTPUT"},
            "no_end": {"run": "echo 'text<<END' > $DAGRUN_OUTPUT"},
            "half_object": {"run": """echo '{"n": ' > $DAGRUN_OUTPUT"""},
            "not_a_number": {"run": """echo '{"n": NaN}' > $DAGRUN_OUTPUT"""},
            "not_text": {"run": "printf 'a=\\377' > $DAGRUN_OUTPUT"},
            "a_pipe": {"run": "rm -f $DAGRUN_OUTPUT; mkfifo $DAGRUN_OUTPUT"},
        },
    )
    good = {task["id"]: task["outputs"] for task in outcome.json["tasks"] if task["status"] == "success"}
    assert good == {
        "pairs": {"a": "1", "b": "x = y"},
        "block": {"text": "one\n\ntwo=2", "after": "1"},
        "object": {"n": 1, "list": [1, None, "x"]},
        "nothing": {},
    }
    bad = {task["id"]: task["error"] for task in outcome.json["tasks"] if task["status"] == "failed"}
    assert list(bad) == ["neither", "no_end", "half_object", "not_a_number", "not_text", "a_pipe"]
    assert bad["neither"] == "line 1 of $DAGRUN_OUTPUT is neither key=value nor key<<END: 'just words'"
    assert all("$DAGRUN_OUTPUT" in error for error in bad.values())


def test_params_arrive_as_variables_and_as_one_file(project: Project) -> None:
    large = "x" * 40_000
    outcome = run(
        project,
        {
            "reads": {
                "params": {"name": "Ada", "list-of.things": [1, "zwei"], "large": large, "flag": True},
                "env": {"OWN": "own", "VERSION": 3.10},
                "run": 'echo "$DAGRUN_PARAM_NAME|$DAGRUN_PARAM_LIST_OF_THINGS|$DAGRUN_PARAM_FLAG|$OWN|$DAGRUN_TASK_ID"\n'
                'test -z "${DAGRUN_PARAM_LARGE+set}" && wc -c < "$DAGRUN_PARAM_LARGE_FILE"\n'
                'cat "$DAGRUN_PARAMS_FILE"',
            },
            "collides": {"params": {"a-b": 1}, "run": "true", "depends_on": []},
        },
    )
    assert outcome.code == 0, outcome.err
    first, second, *rest = project.log("reads").splitlines()
    assert first == 'Ada|[1, "zwei"]|true|own|reads'
    assert second.strip() == "40000"
    assert json.loads("".join(rest)) == {
        "name": "Ada",
        "list-of.things": [1, "zwei"],
        "large": large,
        "flag": True,
    }


def test_what_a_script_leaves_in_the_background_ends_with_it(project: Project) -> None:
    outcome = run(
        project,
        {
            "leaves": {
                "run": "sleep 300 &\n(trap '' TERM; sleep 301; sleep 302) &\nsetsid sleep 303 &\necho $! > pid"
            },
            "later": {
                "run": "for i in $(seq 600); do kill -0 $(cat pid) || exit 0; sleep 0.1; done; exit 1",
                "depends_on": ["leaves"],
            },
        },
    )
    assert outcome.code == 0, project.log("later")
