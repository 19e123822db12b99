"""Words that people bring from another dialect, or from another service, and what to write in their place."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from dagrun.errors import did_you_mean

#: Words for one thing: ours, and those of GitHub Actions, GitLab CI, Argo, Airflow, Ansible and Compose.
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
_SCHEDULES: Final = "what starts a run by itself stands in configs/schedules/"
#: Words for what is done in another way here.
_ADVICE: Final[Mapping[str, str]] = {
    "runs-on": "it runs on this machine, or with 'image' in a container",
    "uses": "there are no actions to use: say with 'run' what it does",
    "operator": "its key says what a task does: 'run' a script, call a function with 'workflow_ref'",
    "template": "there are no templates: say with 'run' what it does",
    "fail-fast": "what a failure does to the rest is said by 'on_error'",
    "apiVersion": "only a document with 'spec:' has it; leave it out",
    "kind": "only a document with 'spec:' has it; leave it out",
    "schedules": "the list stands by itself, without this key",
    "on": _SCHEDULES,
    "schedule": _SCHEDULES,
    "schedule_interval": _SCHEDULES,
    "cron": _SCHEDULES,
    "steps": "list what their 'run' says under 'commands'",
    "templates": "there are no templates: list what runs, each entry with what it does",
    "handlerOn": "there are no handlers yet: a task with `trigger: failure` or `trigger: always` runs after others",
    "output": "a script writes its outputs to the file $DAGRUN_OUTPUT, as lines `key=value`",
    "preconditions": "write an expression in 'if' or 'unless'",
    "precondition": "write an expression in 'if' or 'unless'",
    "retryPolicy": "'retries' says how often, `retry: {initial: 5}` the delay",
    "repeatPolicy": _SCHEDULES,
    "maxActiveRuns": "whether runs may overlap is said by 'overlap' of a schedule in configs/schedules/",
    "stage": "the order follows from what waits for what",
    "stages": "the order follows from what waits for what",
}


def advice(word: str, known: Collection[str], level: Mapping[str, str], value: object = None) -> str:
    """What to write in place of a word that is not known here; empty when nothing comes to mind.

    `level` says of words of another level of the document where they belong; `value` is what was written under the word,
    so that following the advice leads to no second error.
    """
    if option := _by_value(word, known, value):
        return option
    for same in _SYNONYMS:
        if word in same and (ours := sorted(same.intersection(known))):
            return f"here it is '{ours[0]}'"
    if word in ("id", "name", "step") and (ours := sorted({"task", "job"}.intersection(known))):
        return f"here it is '{ours[0]}'"
    if word.startswith((".", "x-")):
        return "put the anchor where its value is used first"
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
            return f"there are no templates: list what runs under '{lists[0]}', each entry with what it does"
    return ""


def names(advice: str, keys_of: Collection[str | int]) -> bool:
    """Whether an advice says to write one of these words."""
    return any(f"'{word}'" in advice for word in keys_of)
