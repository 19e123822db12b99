"""Keys of other dialects and other tools, and what to write instead of them."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from dagrun.errors import did_you_mean

#: Keys with the same meaning: those of dagrun, GitHub Actions, GitLab CI, Argo, Airflow, Ansible and Compose.
_SYNONYMS: Final[Sequence[frozenset[str]]] = (
    frozenset({"tasks", "steps", "jobs"}),
    frozenset({"id", "name", "task_id"}),
    frozenset({"name", "metadata", "dag_id", "generateName"}),
    frozenset({"depends_on", "dependsOn", "requires", "needs", "dependencies", "runAfter", "upstream"}),
    frozenset({"task", "job"}),
    frozenset({"trigger", "on_complete", "trigger_rule"}),
    frozenset({"on_complete", "when"}),
    frozenset({"if", "when", "rules", "only"}),
    frozenset({"trigger", "condition"}),
    frozenset({"commands", "script", "before_script"}),
    frozenset({"run", "bash_command", "cmd"}),
    frozenset({"workflow_ref", "toolRef", "python_callable"}),
    frozenset({"params", "with", "inputs", "arguments"}),
    frozenset({"env", "environment", "variables"}),
    frozenset({"dotenv", "env_file", "env_files"}),
    frozenset({"image", "container"}),
    frozenset({"mount", "volumes"}),
    frozenset({"cron", "schedule", "schedule_interval"}),
    frozenset({"initial", "delay"}),
    frozenset({"factor", "backoff"}),
    frozenset({"timeout", "timeoutSeconds", "timeout-minutes"}),
    frozenset({"continue_on_failure", "continueOnFailure", "continue-on-error", "allow_failure"}),
    frozenset({"matrix", "strategy"}),
    frozenset({"max_parallel", "max-parallel", "parallelism"}),
    frozenset({"retries", "retrys", "retry_count", "retryCount", "max_retries"}),
    frozenset({"working_dir", "dir", "workdir", "working-directory", "workingDir"}),
    frozenset({"for_each", "loop", "with_items", "withItems", "withParam"}),
)
_SCHEDULES: Final = "schedules are files in configs/schedules/"
#: Keys for which dagrun has another way.
_ADVICE: Final[Mapping[str, str]] = {
    "runs-on": "tasks run on this machine, or with 'image' in a container",
    "uses": "there are no reusable actions: write a script under 'run'",
    "operator": "write a script under 'run', or call a function with 'workflow_ref'",
    "template": "there are no templates: write a script under 'run'",
    "fail-fast": "'on_error' decides what a failure does to other tasks",
    "apiVersion": "only documents with 'spec:' have it; remove it",
    "kind": "only documents with 'spec:' have it; remove it",
    "schedules": "write the list without this key",
    "on": _SCHEDULES,
    "schedule": _SCHEDULES,
    "schedule_interval": _SCHEDULES,
    "cron": _SCHEDULES,
    "steps": "list the scripts of the steps under 'commands'",
    "templates": "there are no templates: list the tasks, each with its script",
    "handlerOn": "here it is 'hooks', with the keys on_success, on_failure, on_cancel and on_exit",
    "notify": "only hooks send messages: write it below 'hooks:', for example `on_failure: {notify: URL}`",
    "output": "a script writes its outputs to the file $DAGRUN_OUTPUT, as lines `key=value`",
    "preconditions": "write an expression in 'if' or 'unless'",
    "precondition": "write an expression in 'if' or 'unless'",
    "retryPolicy": "write the number of retries as 'retries', and the delay as `retry: {initial: 5}`",
    "repeatPolicy": _SCHEDULES,
    "maxActiveRuns": "'overlap' of a schedule in configs/schedules/ decides whether runs may overlap",
    "stage": "the order follows from the dependencies",
    "stages": "the order follows from the dependencies",
}


def advice(word: str, known: Collection[str], level: Mapping[str, str], value: object = None) -> str:
    """What to write instead of an unknown key; empty if there is no advice.

    `level` gives advice for keys that belong to another level of the document. `value` is the value of the key, so that the
    advice does not lead to another error.
    """
    if by_value := _by_value(word, known, value):
        return by_value
    for same in _SYNONYMS:
        if word in same and (ours := sorted(same.intersection(known))):
            return f"here it is '{ours[0]}'"
    if word in ("id", "name", "step") and (ours := sorted({"task", "job"}.intersection(known))):
        return f"here it is '{ours[0]}'"
    if word.startswith((".", "x-")):
        return "define the anchor where its value is first used"
    return level.get(word) or _ADVICE.get(word) or did_you_mean(word, known)


def _by_value(word: str, known: Collection[str], value: object) -> str:
    match word, value:
        case "command" | "cmd", str() if "run" in known:
            return "here it is 'run'"
        case "command" | "cmd" | "args", list() if "run" in known:
            return f"write it as one line: `run: {shlex.join(map(str, value))}`"
        case "script", str() if "run" in known:
            return "here it is 'run'"
        case "continueOn", dict():
            key = next((each for each in ("continue_on_failure", "continueOnFailure") if each in known), "")
            return f"write `{key}: true`" if key else ""
        case "templates", _ if lists := sorted({"tasks", "steps"}.intersection(known)):
            return f"there are no templates: list the tasks under '{lists[0]}', each with its script"
    return ""


def mentions(advice: str, keys: Collection[str | int]) -> bool:
    """Whether an advice says to write one of these keys."""
    return any(f"'{key}'" in advice for key in keys)
