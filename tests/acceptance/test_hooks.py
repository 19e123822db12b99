"""What runs at the end of a run: one test for each end, then what can go wrong with a hook."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.harness import PATIENCE, Project, wait_for
from tests.acceptance.receiver import Receiver, receiving

HOOKS = """
hooks:
  on_success: {run: 'echo "success $DAGRUN_RUN_STATUS $DAGRUN_RUN_REASON" >> ends'}
  on_failure: {run: 'echo "failure $DAGRUN_RUN_STATUS $DAGRUN_RUN_REASON" >> ends'}
  on_cancel: {run: 'echo "cancel $DAGRUN_RUN_STATUS $DAGRUN_RUN_REASON" >> ends'}
  on_exit: [{run: 'echo "exit $DAGRUN_HOOK" >> ends'}, {notify: '${{ secrets.HOOK_URL }}'}]
secrets: [HOOK_URL]
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def ends(project: Project) -> list[str]:
    return (project.root / "ends").read_text().splitlines()


def of_hooks(project: Project) -> list[tuple[str, str]]:
    """The hooks that ended, and how."""
    found = (event for event in project.events() if event["event"] == "hook_end")
    return [(event["hook"], event["status"]) for event in found]


@pytest.mark.parametrize(
    ("tasks", "status", "first"),
    [
        ("tasks: [{id: a, run: 'true'}]", "success", "success success Completed"),
        ("tasks: [{id: a, run: 'exit 3'}]", "failed", "failure failed TaskFailed"),
        (
            "on_error: continue\ntasks: [{id: a, run: 'exit 3'}, {id: b, run: 'true'}]",
            "partial",
            "failure partial TaskFailed",
        ),
        ("timeout: 300ms\ntasks: [{id: a, run: sleep 300}]", "failed", "failure failed RunTimeout"),
    ],
    ids=["success", "failure", "partial", "run timeout"],
)
def test_after_every_end_its_hooks_run_and_a_message_is_sent(
    project: Project, receiver: Receiver, tasks: str, status: str, first: str
) -> None:
    project.write("dag.yaml", f"name: dag\n{tasks}{HOOKS}")
    outcome = project.answer("run", "dag.yaml", env={"HOOK_URL": receiver.url})
    assert outcome.code == (0 if status == "success" else 1)
    assert f"Status: {status}\n" in outcome.out
    assert ends(project) == [first, "exit on_exit"]
    (message,) = receiver.messages
    assert (message["dag_name"], message["status"], message["title"]) == ("dag", status, f"dag: {status}")
    assert project.names()[-1] == "dag_done"


def test_after_a_cancel_only_hooks_start(project: Project, receiver: Receiver) -> None:
    tasks = "tasks: [{id: a, run: 'echo x > begun; sleep 300'}, {id: b, run: 'true', depends_on: [a], trigger: always}]"
    project.write("dag.yaml", f"name: dag\n{tasks}{HOOKS}")
    process = project.start("run", "dag.yaml", env={"HOOK_URL": receiver.url})
    project.wait_for_file("begun")
    process.send_signal(signal.SIGINT)
    assert project.finish(process, PATIENCE).code == 130
    assert ends(project) == ["cancel cancelled Cancelled: SIGINT", "exit on_exit"]
    assert [message["status"] for message in receiver.messages] == ["cancelled"]
    assert "task_start b" not in project.names()


def test_an_interrupted_run_that_is_cancelled_runs_its_hooks(project: Project, receiver: Receiver) -> None:
    project.write("dag.yaml", f"name: dag\ntasks: [{{id: a, run: 'echo x > begun; sleep 300'}}]{HOOKS}")
    process = project.start("run", "dag.yaml", env={"HOOK_URL": receiver.url})
    project.wait_for_file("begun")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(PATIENCE)
    outcome = project.dagrun("cancel", "latest", "--reason", "enough", env={"HOOK_URL": receiver.url})
    assert outcome.code == 0, outcome
    assert ends(project) == ["cancel cancelled Cancelled: enough", "exit on_exit"]
    assert [message["status"] for message in receiver.messages] == ["cancelled"]
    assert project.names()[-1] == "dag_done"


def test_a_resume_runs_the_hooks_that_a_killed_process_had_not_run(project: Project) -> None:
    project.write(
        "dag.yaml",
        """
        name: dag
        tasks: [{id: a, run: 'echo a >> ends'}]
        hooks:
          on_success: [{run: 'echo first >> ends'}, {run: 'echo second >> ends; test -e go || sleep 300'}]
          on_exit: {run: 'echo last >> ends'}
        """,
    )
    process = project.start("run", "dag.yaml")
    wait_for("the second hook", lambda: (project.root / "ends").exists() and "second" in ends(project))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(PATIENCE)
    assert project.answer("status", "-o", "json").json["status"] == "interrupted"
    project.write("go", "")
    assert project.dagrun("resume", "latest").code == 0
    assert ends(project) == ["a", "first", "second", "second", "last"]
    assert of_hooks(project) == [(name, "success") for name in ("on_success", "on_success.2", "on_exit")]
    assert project.answer("resume", "latest").code == 0
    assert len(ends(project)) == 5


def test_hooks_run_again_at_the_end_of_another_stretch(project: Project) -> None:
    project.write(
        "dag.yaml",
        """
        name: dag
        tasks: [{id: a, run: 'test -e go'}]
        hooks: {on_exit: {run: 'echo "$DAGRUN_RUN_STATUS" >> ends; echo "$DAGRUN_RUN_STATUS"'}}
        """,
    )
    assert project.answer("run", "dag.yaml").code == 1
    project.write("go", "")
    assert project.answer("resume", "latest").code == 0
    assert ends(project) == ["failed", "success"]
    assert project.answer("logs", "latest", "hook:on_exit").out.splitlines()[-1] == "hook:on_exit.2 | success"


def test_a_hook_reads_the_outcome_and_the_last_lines_of_the_log(project: Project) -> None:
    project.write(
        "dag.yaml",
        """
        name: dag
        tasks:
          - {id: a, run: 'seq 1 50; echo "${TOKEN}"; exit 3', env: {TOKEN: "${{ secrets.TOKEN }}"}}
        secrets: [TOKEN]
        hooks:
          on_failure:
            run: |
              printf '%s\\n' "${{ run.status }} ${{ run.reason }} ${{ run.failed }}" "${{ tasks.a.error }}" "${{ tasks.a.log_tail }}" > told
        """,
    )
    assert project.answer("run", "dag.yaml", env={"TOKEN": "a-secret-token"}).code == 1
    lines = (project.root / "told").read_text().splitlines()
    assert lines[:2] == ['failed TaskFailed ["a"]', "exit code 3"]
    assert lines[2:] == [*map(str, range(32, 51)), "***"]


def test_a_hook_may_name_tasks_that_a_selection_leaves_out(project: Project) -> None:
    project.write(
        "dag.yaml",
        """
        name: dag
        tasks: [{id: a, run: 'echo k=1 >> "$DAGRUN_OUTPUT"'}, {id: b, run: 'echo why; exit 2'}]
        hooks:
          on_failure:
            run: echo "[${{ tasks.a.status }}][${{ tasks.a.log_tail }}][${{ tasks.a.outputs.k }}][${{ tasks.b.log_tail }}]" > ends
        """,
    )
    assert project.answer("run", "dag.yaml", "--only", "b").code == 1
    assert ends(project) == ["[][][][why]"]


def test_the_log_of_a_hook_is_found_by_its_id(project: Project) -> None:
    project.write(
        "dag.yaml", "name: dag\ntasks: [{id: a, run: 'true'}]\nhooks: {on_exit: {run: echo well}}\n"
    )
    assert project.answer("run", "dag.yaml").code == 0
    assert project.answer("logs", "latest", "hook:on_exit").out == "well\n"
    refused = project.answer("logs", "latest", "on_exit")
    assert (refused.code, refused.err) == (
        2,
        "Error: task 'on_exit' not found\n  the hook is 'hook:on_exit'\n",
    )
    words = {"_DAGRUN_COMPLETE": "complete_bash", "COMP_WORDS": "dagrun logs latest hook", "COMP_CWORD": "3"}
    assert project.dagrun(env=words).out.split() == ["hook:on_exit"]


def test_a_failing_a_hanging_and_a_killed_hook_leave_the_outcome_as_it_is(project: Project) -> None:
    project.write(
        "dag.yaml",
        """
        name: dag
        tasks: [{id: a, run: 'true'}]
        hooks:
          on_exit:
            - {run: 'exit 7'}
            - {run: 'sleep 300', timeout: 200ms}
            - {run: 'kill -KILL $$'}
            - {run: 'echo ${{ fromJSON(tasks.a.status) }}'}
            - {run: 'echo well'}
        """,
    )
    outcome = project.answer("run", "dag.yaml")
    assert outcome.code == 0
    assert "Status: success\n" in outcome.out
    warnings = [line for line in outcome.err.splitlines() if line.startswith("Warning:")]
    assert warnings[:3] == [
        "Warning: hook 'on_exit' failed: exit code 7",
        "Warning: hook 'on_exit.2' failed: timed out after 0.2s",
        "Warning: hook 'on_exit.3' failed: killed by SIGKILL",
    ]
    assert warnings[3].startswith("Warning: hook 'on_exit.4' failed: script: ")
    status = project.answer("status", "-o", "json").json
    assert status["status"] == "success"
    assert [hook["status"] for hook in status["hooks"]] == [
        "failed",
        "timed_out",
        "failed",
        "failed",
        "success",
    ]
    assert "HOOK       STATUS" in project.answer("status").out
    assert project.processes() == {}


def test_a_cancel_during_a_hook_ends_the_hooks_and_keeps_the_outcome(project: Project) -> None:
    project.write(
        "dag.yaml",
        """
        name: dag
        tasks: [{id: a, run: 'true'}]
        hooks: {on_success: {run: 'echo x > begun; sleep 300'}, on_exit: {run: 'echo x > ends'}}
        """,
    )
    process = project.start("run", "dag.yaml")
    project.wait_for_file("begun")
    process.send_signal(signal.SIGINT)
    outcome = project.finish(process, PATIENCE)
    assert (outcome.code, "Status: success\n" in outcome.out) == (0, True)
    assert "Warning: hook 'on_success' was cancelled" in outcome.err
    assert not (project.root / "ends").exists()
    assert of_hooks(project) == [("on_success", "cancelled"), ("on_exit", "cancelled")]
    assert project.processes() == {}


def test_a_cancel_from_elsewhere_says_that_only_hooks_were_left(project: Project) -> None:
    project.write(
        "dag.yaml",
        "name: dag\ntasks: [{id: a, run: 'true'}]\nhooks: {on_exit: {run: 'echo x > begun; sleep 300'}}\n",
    )
    process = project.start("run", "dag.yaml", "--run-id", "it")
    project.wait_for_file("begun")
    cancelled = project.dagrun("cancel", "it")
    assert cancelled.out == "All tasks of run it had ended (success); its hooks were cancelled.\n"
    finished = project.finish(process, PATIENCE)
    assert (finished.code, "cancelling; press Ctrl-C again" in finished.err) == (0, True), finished
    assert "`why` explains tasks" in project.answer("why", "it", "hook:on_exit").err


def test_hooks_of_the_project_run_after_those_of_the_document(project: Project, receiver: Receiver) -> None:
    project.write(
        "dagrun.toml",
        """
        [hooks]
        secrets = ["HOOK_URL"]
        on_exit = {run = "echo project >> ends"}

        [[hooks.on_failure]]
        notify = {url = "${{ secrets.HOOK_URL }}", title = "${{ run.dag_name }} is ${{ run.status }}"}
        """,
    )
    project.write(
        "dag.yaml",
        "name: dag\ntasks: [{id: a, run: exit 1}]\nhooks: {on_exit: {run: 'echo document >> ends'}}\n",
    )
    assert project.answer("run", "dag.yaml", env={"HOOK_URL": receiver.url}).code == 1
    assert ends(project) == ["document", "project"]
    assert [message["title"] for message in receiver.messages] == ["dag is failed"]
    assert [name for name, _ in of_hooks(project)] == ["on_exit", "project.on_failure", "project.on_exit"]


def test_wrong_hooks_of_the_project_are_refused_with_their_places(project: Project) -> None:
    project.write(
        "dagrun.toml",
        "[hooks]\non_exit = {run = 'echo ${{ nope.x }}'}\n\n[hooks.on_failure]\nrun = 'x'\nretries = 1\n",
    )
    project.write("dag.yaml", "name: dag\ntasks: [{id: a, run: x}]\n")
    outcome = project.answer("run", "dag.yaml")
    assert outcome.code == 2
    assert "dagrun.toml:2:12: unknown name 'nope'" in outcome.err
    assert (
        "dagrun.toml:6:1: unknown key 'retries' (a hook runs once; let its script try again)" in outcome.err
    )
    assert not (project.root / "logs/runs").exists()
    validated = project.answer("validate", "dag.yaml")
    assert (validated.code, "dagrun.toml:6:1: error: unknown key 'retries'" in validated.out) == (2, True)


# --- messages ---


def sent(project: Project, url: str) -> dict[str, Any]:
    """The hook that sent a message to an address."""
    project.write(
        "dag.yaml",
        "name: dag\nsecrets: [HOOK_URL]\ntasks: [{id: a, run: 'echo why; exit 1'}]\n"
        "hooks: {on_failure: {notify: '${{ secrets.HOOK_URL }}', timeout: 20s}}\n",
    )
    outcome = project.answer("run", "dag.yaml", env={"HOOK_URL": url})
    assert (outcome.code, "Status: failed\n" in outcome.out) == (1, True)
    everything = outcome.out + outcome.err + project.answer("logs").out
    assert "SECRETPART" not in everything + project.answer("events", "--run", "latest", "-o", "json").out
    (hook,) = project.answer("status", "-o", "json").json["hooks"]
    found: dict[str, Any] = hook
    return found


def test_a_message_describes_the_run(project: Project, receiver: Receiver) -> None:
    assert sent(project, receiver.url)["error"] is None
    (message,) = receiver.messages
    assert message["failed"] == [
        {
            "task_id": "a",
            "error": "exit code 1",
            "error_type": "CommandFailed",
            "exit_code": 1,
            "log_tail": "why",
        }
    ]
    assert (message["failed_count"], message["tasks_failed"], message["trigger"]) == (1, 1, "manual")
    assert message["text"].startswith("dag: failed\nRun ")


def test_a_server_in_trouble_is_asked_three_times(project: Project, receiver: Receiver) -> None:
    receiver.answers = [500, 503, 200]
    assert sent(project, receiver.url)["error"] is None
    assert len(receiver.messages) == 3


def test_a_server_that_refuses_is_asked_once(project: Project, receiver: Receiver) -> None:
    receiver.answers = [404]
    error = sent(project, receiver.url)["error"]
    assert error == "http://127.0.0.1: it answered 404 Not Found"
    assert len(receiver.messages) == 1


def test_a_server_that_stays_in_trouble_is_named(project: Project, receiver: Receiver) -> None:
    receiver.answers = [500]
    error = sent(project, receiver.url)["error"]
    assert error == "http://127.0.0.1: it answered 500 Internal Server Error (3 tries)"


def test_a_message_does_not_follow_a_redirect(project: Project, receiver: Receiver) -> None:
    receiver.answers = [302]
    assert sent(project, receiver.url)["error"] == "http://127.0.0.1: it answered 302 Found"


def test_a_server_that_never_answers_ends_with_the_timeout_of_the_hook(
    project: Project, receiver: Receiver
) -> None:
    receiver.may_answer.clear()
    project.write(
        "dag.yaml",
        f"name: dag\ntasks: [{{id: a, run: 'true'}}]\nhooks: {{on_exit: {{notify: '{receiver.url}', timeout: 1s}}}}\n",
    )
    outcome = project.answer("run", "dag.yaml")
    assert outcome.code == 0
    assert "Warning: hook 'on_exit' failed: timed out after 1s" in outcome.err


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("SECRETPART.example.com", "an address without a scheme: write it with a scheme, such as https:// or mailto://"),
        ("http://[SECRETPART/", "an address that is not valid: the address is not valid"),
        ("pigeon://SECRETPART", "pigeon://: Apprise does not know such an address"),
    ],
)  # fmt: skip
def test_addresses_that_cannot_be_used_are_explained_without_their_secrets(
    project: Project, url: str, error: str
) -> None:
    assert sent(project, url)["error"] == error


def test_other_schemes_are_sent_by_apprise(project: Project, receiver: Receiver) -> None:
    url = receiver.url.replace("http://", "json://")
    assert sent(project, url)["error"] is None
    (message,) = receiver.messages
    assert (message["title"], message["type"]) == ("dag: failed", "failure")
    assert "a: exit code 1\n    why" in message["message"]


def test_a_message_that_apprise_cannot_send_is_an_error(project: Project, receiver: Receiver) -> None:
    receiver.answers = [404]
    url = receiver.url.replace("http://", "json://")
    error = sent(project, url)["error"]
    assert error == "json://: Apprise could not send the message; the log of the hook says why"


def test_without_apprise_the_error_says_how_to_install_it(project: Project) -> None:
    project.write("without/apprise.py", "raise ImportError")
    project.write(
        "dag.yaml",
        "name: dag\ntasks: [{id: a, run: x=1}]\nhooks: {on_exit: {notify: 'mailto://me@example.com'}}\n",
    )
    outcome = project.dagrun("run", "dag.yaml", env={"PYTHONPATH": str(project.root / "without")})
    assert outcome.code == 0
    assert outcome.err.endswith(
        "Warning: hook 'on_exit' failed: mailto://: addresses other than http(s) need Apprise: pip install 'dagrun[notify]'\n"
    )


# --- runs that are late ---


def test_a_run_that_is_late_says_so_once_while_it_goes_on(project: Project, receiver: Receiver) -> None:
    project.write(
        "dag.yaml",
        f"""
        name: dag
        sla: {{finish_within: 200ms}}
        tasks: [{{id: a, run: 'while test ! -e go; do sleep 0.02; done'}}]
        hooks:
          on_late: [{{notify: '{receiver.url}'}}, {{run: 'echo "$DAGRUN_RUN_STATUS" > go'}}]
          on_exit: {{run: 'echo end >> ends'}}
        """,
    )
    outcome = project.answer("run", "dag.yaml")
    assert outcome.code == 0
    assert "is late: it should have ended within 0.2s" in outcome.err
    assert [message["status"] for message in receiver.messages] == ["running"]
    assert (project.root / "go").read_text() == "running\n"
    assert project.names().count("run_late") == 1
    assert of_hooks(project) == [(name, "success") for name in ("on_late", "on_late.2", "on_exit")]
    assert project.answer("status", "-o", "json").json["late"] == "it should have ended within 0.2s"


def test_a_late_run_that_is_resumed_does_not_say_it_again(project: Project) -> None:
    project.write(
        "dag.yaml",
        """
        name: dag
        sla: {finish_within: 100ms}
        tasks: [{id: a, run: 'test -e go || sleep 300'}]
        hooks: {on_late: {run: 'echo late >> ends'}}
        """,
    )
    process = project.start("run", "dag.yaml")
    wait_for("the hook", lambda: ("on_late", "success") in of_hooks(project))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(PATIENCE)
    project.write("go", "")
    assert project.answer("resume", "latest").code == 0
    assert ends(project) == ["late"]


def test_a_run_of_a_schedule_that_begins_too_late_says_so(project: Project) -> None:
    hooks = "hooks: {on_late: {run: 'echo ${{ run.scheduled_at }} >> ends'}}"
    project.write("configs/dags/job.yaml", f"name: job\ntasks: [{{id: a, run: 'true'}}]\n{hooks}\n")
    sla = "timezone: Europe/Berlin, sla: {start_by: '08:10'}"
    project.write("configs/schedules/all.yaml", f"- {{id: morning, cron: '0 8 * * *', dag: job, {sla}}}\n")
    assert project.dagrun("scheduler", "--once", "--at", "2026-11-16T07:00Z").code == 0
    (late,) = [event for event in project.events() if event["event"] == "run_late"]
    assert late["reason"] == "it should have begun at 2026-11-16T07:10:00.000Z"
    assert ends(project) == ["2026-11-16T07:00:00.000Z"]


# --- hooks that a scheduler runs ---

OF_SCHEDULER = """
[hooks.on_schedule_error]
run = 'echo "$DAGRUN_HOOK ${{ schedule.id }} ${{ schedule.minute }} ${{ schedule.reason }}" >> ends'

[[hooks.on_interrupted]]
run = 'echo "${{ run.id }} ${{ run.status }} ${{ run.dag_name }}" >> ends; exit 3'

[[hooks.on_interrupted]]
notify = "%s"
"""


def test_a_fire_that_cannot_become_a_run_runs_the_hook_of_the_project(
    project: Project, receiver: Receiver
) -> None:
    project.write("dagrun.toml", OF_SCHEDULER % receiver.url)
    project.write("configs/dags/job.yaml", "name: job\ntasks: [{id: a, run: }]\n")
    project.write("configs/schedules/all.yaml", "- {id: morning, cron: '0 8 * * *', dag: job}\n")
    assert project.dagrun("scheduler", "--once", "--at", "2026-11-16T08:00Z").code == 1
    assert ends(project) == ["on_schedule_error morning 2026-11-16 08:00 InvalidDag"]
    assert len(list((project.root / "logs/hooks").glob("*/events.jsonl"))) == 1
    assert project.answer("runs", "-o", "json").json == {"runs": []}


def test_an_interrupted_run_runs_the_hooks_of_the_project_once(project: Project, receiver: Receiver) -> None:
    project.write("dagrun.toml", OF_SCHEDULER % receiver.url)
    project.write(
        "configs/dags/job.yaml",
        "name: job\ntasks: [{id: a, run: 'kill -KILL $(ps -o ppid= -p $PPID); sleep 300'}]\n",
    )
    project.write(
        "configs/schedules/all.yaml", "- {id: morning, cron: '0 8 * * *', dag: job, resume_window: 0}\n"
    )
    outcome = project.dagrun("scheduler", "--once", "--at", "2026-11-16T08:00Z")
    assert outcome.code == 1
    run = project.run_dir().name
    assert ends(project) == [f"{run} interrupted job"]
    assert "Warning: hook 'on_interrupted' failed after 1 attempt: exit code 3 (logs/hooks/" in outcome.err
    assert [message["status"] for message in receiver.messages] == ["interrupted"]
    assert project.dagrun("scheduler", "--once", "--at", "2026-11-17T09:00Z").code == 0
    assert len(ends(project)) == 1


def test_wrong_hooks_of_a_scheduler_are_refused_when_it_starts(project: Project) -> None:
    project.write("dagrun.toml", "[hooks]\non_schedule_error = {run = 'echo ${{ run.id }}'}\n")
    project.write("configs/dags/job.yaml", "name: job\ntasks: [{id: a, run: x}]\n")
    project.write("configs/schedules/all.yaml", "- {id: morning, cron: '0 8 * * *', dag: job}\n")
    outcome = project.answer("scheduler", "--once")
    assert (outcome.code, outcome.out) == (2, "")
    assert "dagrun.toml:2:22: unknown name 'run' (available: env, github, schedule)" in outcome.err
