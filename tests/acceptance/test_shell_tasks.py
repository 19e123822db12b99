"""Shell tasks: how they end, what they receive, what they pass on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.harness import Outcome, Project


def run(project: Project, tasks: dict[str, dict[str, object]]) -> Outcome:
    """Run the tasks side by side, each for itself."""
    listed = [{"id": name, **task} for name, task in tasks.items()]
    project.write("dag.yaml", json.dumps({"name": "dag", "on_error": "continue", "tasks": listed}))
    return project.answer("run", "dag.yaml", "-o", "json")


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
        },
    )
    events = {event["task_id"]: event for event in project.events() if event["event"] == "task_fail"}
    assert {name: (event["error"], event.get("exit_code")) for name, event in events.items()} == {
        "exits": ("exit code 3", 3),
        "killed": ("killed by SIGKILL", 137),
        "crashes": ("killed by SIGSEGV", 139),
        "first_fails": ("exit code 1", 1),
        "unseen_by_set_e": ("exit code 1", 1),
        "unknown_command": ("exit code 127", 127),
        "too_slow": ("timed out after 5s", 137),
        "stops_politely": ("timed out after 5s", 0),
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
    said, first, second, *rest = project.log("reads").splitlines()
    assert said == (
        "dagrun: not set, as the environment cannot hold it: $DAGRUN_PARAM_LARGE ($DAGRUN_PARAM_LARGE_FILE names a file)"
    )
    assert first == 'Ada|[1, "zwei"]|true|own|reads'
    assert second.strip() == "40000"
    assert json.loads("".join(rest)) == {
        "name": "Ada",
        "list-of.things": [1, "zwei"],
        "large": large,
        "flag": True,
    }


def test_a_script_may_be_of_any_length(project: Project) -> None:
    filler = "\n" + "# a line of a long script\n" * 40_000
    outcome = run(
        project,
        {
            "sh": {"run": f"echo one{filler}echo two"},
            "fails": {"shell": "bash -c", "run": f"echo one{filler}false\necho two"},
            "commands": {"commands": [f"echo one{filler}", "false && true", "echo two"]},
            "python": {"shell": "python3", "run": f"print('one'){filler}print('two')"},
            "argument": {"shell": "python3 -c", "run": f"print('one'){filler}print('two')"},
            "unknown": {"shell": "expr -c", "run": filler},
        },
    )
    for name in ("sh", "python", "argument"):
        assert outcome.task(name)["status"] == "success", project.log(name)
        assert project.log(name) == "one\ntwo\n"
    for name in ("fails", "commands"):
        assert outcome.task(name)["error"] == "exit code 1"
        assert project.log(name) == "one\n"
    assert "takes it as one argument" in outcome.task("unknown")["error"]


def test_a_script_is_run_by_what_it_asks_for(project: Project) -> None:
    (project.root / "lib.py").write_text("word = 'lib'\n")
    outcome = run(
        project,
        {
            "python": {"shell": "python3 -u", "run": "import sys\nprint('ü', len(sys.argv))"},
            "text": {"shell": "python3 -c", "run": "import lib\nprint(lib.word)"},
            "wrapped": {"shell": "/usr/bin/env python3", "run": "print('env')"},
            "placed": {"shell": "python3 {0} a b", "run": "import sys\nprint(sys.argv[1:])"},
            "first_line": {"run": "#!/usr/bin/env -S python3 -u\nprint('first line')"},
            "own_flags": {"shell": "python3", "run": "#!/bin/sh\nfalse\necho 'goes on'"},
            "nobody": {"shell": "no-such-interpreter -x", "run": "x"},
            "named_nobody": {"run": "#!/no/such/interpreter\nx"},
        },
    )
    logs = {
        name: project.log(name) for name in ("python", "text", "wrapped", "placed", "first_line", "own_flags")
    }
    assert logs == {
        "python": "ü 1\n", "text": "lib\n", "wrapped": "env\n", "placed": "['a', 'b']\n",
        "first_line": "first line\n", "own_flags": "goes on\n",
    }  # fmt: skip
    assert outcome.task("nobody")["error"] == "cannot run 'no-such-interpreter': No such file or directory"
    assert (
        outcome.task("named_nobody")["error"]
        == "cannot run '/no/such/interpreter': No such file or directory"
    )


OUTPUTS = """
    name: outputs
    on_error: continue
    tasks:
      - id: many
        shell: python3
        run: |
          import json, os
          outputs = {f"k{i}": "x" * 1000 for i in range(2000)}
          outputs |= {"a-b": 1, "a.b": 2, "": 3, "two words": 4, "=": 5}
          json.dump(outputs, open(os.environ["DAGRUN_OUTPUT"], "w"))
      - id: large
        shell: python3
        run: |
          import json, os
          json.dump({f"k{i}": "x" * 100_000 for i in range(100)}, open(os.environ["DAGRUN_OUTPUT"], "w"))
      - id: below
        depends_on: [many, large]
        shell: python3
        run: |
          import json, os
          params = json.load(open(os.environ["DAGRUN_PARAMS_FILE"]))
          print(len(params), params["many__a-b"], params["many__"], len(params["large__k99"]))
          print(sum(name.startswith("DAGRUN_PARAM_LARGE__") for name in os.environ) > 0)
      - {id: asks, depends_on: [large], run: 'wc -c < "$DAGRUN_PARAM_LARGE__K7_FILE"'}
      - {id: names, depends_on: [large], retries: 3, run: 'echo begun; echo "$DAGRUN_PARAM_LARGE__K7"'}
      - {id: holds, depends_on: [large], retries: 3, run: 'echo begun; echo ${{ tasks.large.outputs.k7 }}'}
"""


def test_no_number_size_or_name_of_outputs_keeps_a_dependent_from_starting(project: Project) -> None:
    project.write("dag.yaml", OUTPUTS)
    outcome = project.answer("run", "dag.yaml", "-o", "json")
    assert outcome.task("below")["status"] == "success", project.log("below")
    said, *lines = project.log("below").splitlines()
    assert said.startswith("dagrun: not set, as the environment cannot hold it: ")
    assert lines == ["2105 1 3 100000", "True"]
    assert project.log("asks").splitlines()[1:] == ["100000"]
    assert outcome.task("names")["error"] == (
        "the script reads $DAGRUN_PARAM_LARGE__K7, but its value of 100,000 bytes is too large for an environment "
        "variable (at most 32 KiB): read it from the file that $DAGRUN_PARAM_LARGE__K7_FILE names"
    )
    assert outcome.task("holds")["error"].startswith(
        "script: the value of ${{ tasks.large.outputs.k7 }} has 100,000 bytes, and a variable of a script's environment "
        "holds at most 32 KiB: pass it as a parameter"
    )
    assert (outcome.task("names")["attempt"], outcome.task("holds")["attempt"]) == (1, 0)


def test_an_environment_that_the_system_refuses_is_reported(project: Project) -> None:
    outcome = run(project, {"a": {"run": "true", "env": {"X": "x" * 140_000}}})
    assert outcome.task("a")["error"].startswith(
        "the environment variable X takes 140,002 bytes with its name; "
    )


FAILING = """
    name: failing
    on_error: continue
    tasks:
      - id: test
        retries: 1
        retry: {initial: 0}
        run: |
          echo "passed=$DAGRUN_ATTEMPT" >> "$DAGRUN_OUTPUT"
          echo report > report.$DAGRUN_ATTEMPT.xml
          exit 4
        artifacts: ["report.*.xml", "coverage.xml"]
      - {id: malformed, run: "echo nonsense > $DAGRUN_OUTPUT; exit 5"}
      - {id: late, timeout: 2s, run: "echo k=v > $DAGRUN_OUTPUT; echo x > late.txt; sleep 300", artifacts: [late.txt]}
      - id: looks
        depends_on: [test, late]
        trigger: always
        env: {WHERE: "${{ tasks.test.artifacts }}"}
        run: |
          echo "${{ tasks.test.outputs.passed }} ${{ tasks.late.outputs.k }} ${{ tasks.test.outputs.other == null }}"
          cat "$WHERE/report.2.xml" "${{ tasks.late.artifacts }}/late.txt"
          env | grep DAGRUN_PARAM_ || echo none
"""


def test_what_a_failed_attempt_wrote_and_made_can_be_read(project: Project) -> None:
    project.write("dag.yaml", FAILING)
    outcome = project.answer("run", "dag.yaml", "-o", "json")
    assert project.log("looks") == "2 v true\nreport\nx\nnone\n"
    events = {event["task_id"]: event for event in project.events() if event["event"] == "task_fail"}
    assert (events["test"]["error"], events["test"]["outputs"]) == ("exit code 4", {"passed": "2"})
    assert outcome.task("test")["outputs"] == {"passed": "2"}
    assert project.log("test", 2) == f"dagrun: artifact 'coverage.xml' found nothing in {project.root}\n"
    assert (events["malformed"]["error"], events["malformed"]["outputs"]) == ("exit code 5", {})
    assert project.log("malformed") == (
        "dagrun: its outputs are lost: line 1 of $DAGRUN_OUTPUT is neither key=value nor key<<END: 'nonsense'\n"
    )


def test_an_exit_code_can_skip_a_task_or_be_tolerated(project: Project) -> None:
    outcome = run(
        project,
        {
            "nothing": {"run": "exit 99", "skip_on_exit_codes": [99], "retries": 3},
            "tolerated": {"run": "exit 2", "continue_on_failure": {"exit_codes": [1, 2]}},
            "below": {"run": "true", "depends_on": ["tolerated"]},
        },
    )
    assert (outcome.code, outcome.json["status"]) == (0, "success")
    nothing = outcome.task("nothing")
    assert (nothing["status"], nothing["reason"], nothing["detail"]) == (
        "skipped",
        "ExitCode",
        "exit code 99",
    )
    assert (nothing["attempt"], outcome.task("below")["status"]) == (1, "success")
    assert "nothing skipped: ExitCode <- exit code 99" in project.answer("why", "latest", "nothing").out


LOCALES = """
    name: locales
    params: {p: "pü€"}
    env: {X: "vü€"}
    tasks:
      - id: a
        run: |
          printf '%s\\n' 'ü€' "$X" "${{ params.p }}" "$FROM"
          echo k=ü€ >> $DAGRUN_OUTPUT
      - id: b
        depends_on: [a]
        params: {q: ü}
        run: echo "$DAGRUN_PARAM_A__K$DAGRUN_PARAM_Q ${{ env.FROM }}"
      - id: c
        shell: python3
        run: import sys; sys.stdout.buffer.write('ü€\\n'.encode())
      - {id: d, workflow_ref: shows}
"""


def test_text_is_utf_8_whatever_the_locale_is(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    locales: list[dict[str, str]] = [
        {"LC_ALL": "C"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ]
    if made := latin_1(tmp_path_factory.mktemp("locales")):
        locales.append(made)
    project.workflows(
        """
        @workflow("shows")
        def shows():
            subprocess.run(["sh", "-c", 'printf "%s\\n" "$X"'], check=True)
        """
    )
    project.write("dag.yaml", LOCALES)
    for locale in locales:
        started = project.start(
            "run", "dag.yaml", "-p", "p=ü€", env={"FROM": "fü€", **locale}, errors="replace"
        )
        outcome = project.finish(started)
        assert outcome.code == 0, (locale, outcome.err)
        logs = [(project.run_dir() / "logs" / f"{name}.1.log").read_bytes().decode() for name in "abcd"]
        assert logs == ["ü€\nvü€\nü€\nfü€\n", "ü€ü fü€\n", "ü€\n", "vü€\n"], locale


def latin_1(where: Path) -> dict[str, str] | None:
    """The variables that choose an ISO-8859-1 locale, which is made for this; None where the machine cannot make one."""
    name = "en_US.ISO-8859-1"
    try:
        subprocess.run(["localedef", "-i", "en_US", "-f", "ISO-8859-1", where / name], check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    chosen = {"LOCPATH": str(where), "LC_ALL": name}
    ask = [sys.executable, "-c", "import sys; print(sys.getfilesystemencoding())"]
    found = subprocess.run(
        ask, env={**os.environ, **chosen}, capture_output=True, text=True, check=True
    ).stdout
    return chosen if found == "iso8859-1\n" else None


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
