"""Words that people bring from another dialect, or from another service, and what to write in their place."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from dagrun.errors import did_you_mean

#: Words for one thing: ours, and those of GitHub Actions, GitLab CI, Argo, Airflow, Ansible and Compose.
_SAME: Final[Sequence[frozenset[str]]] = (
    frozenset({"tasks", "steps", "jobs", "templates"}),
    frozenset({"id", "name", "task_id"}),
    frozenset({"name", "metadata", "dag_id", "generateName"}),
    frozenset({"depends_on", "dependsOn", "requires", "needs", "dependencies", "runAfter", "upstream"}),
    frozenset({"task", "job"}),
    frozenset({"trigger", "on_complete", "trigger_rule"}),
    frozenset({"on_complete", "when"}),
    frozenset({"if", "when", "rules", "only"}),
    frozenset({"trigger", "condition"}),
    frozenset({"commands", "script", "steps", "before_script"}),
    frozenset({"run", "bash_command"}),
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
    "stage": "the order follows from what waits for what",
    "stages": "the order follows from what waits for what",
}


def advice(word: str, known: Collection[str], level: Mapping[str, str]) -> str:
    """What to write in place of a word that is not known here; empty when nothing comes to mind.

    `level` says of words that stand on another level of the document where that is.
    """
    for same in _SAME:
        if word in same and (ours := sorted(same.intersection(known))):
            return f"here it is '{ours[0]}'"
    if word in ("id", "name", "step") and (ours := sorted({"task", "job"}.intersection(known))):
        return f"here it is '{ours[0]}'"
    if word.startswith((".", "x-")):
        return "put the anchor where its value is used first"
    return level.get(word) or _ADVICE.get(word) or did_you_mean(word, known)


def names(advice: str, words: Collection[str | int]) -> bool:
    """Whether an advice says to write one of these words."""
    return any(f"'{word}'" in advice for word in words)
