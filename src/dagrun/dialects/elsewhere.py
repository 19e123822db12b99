"""Words that people bring from another dialect, or from another service, and what to write in their place."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from dagrun.errors import did_you_mean

#: Words for one thing: ours, and those of GitHub Actions, GitLab CI, Argo and Ansible.
_SAME: Final[Sequence[frozenset[str]]] = (
    frozenset({"tasks", "steps", "jobs"}),
    frozenset({"id", "name"}),
    frozenset({"name", "metadata"}),
    frozenset({"depends_on", "dependsOn", "requires", "needs", "dependencies"}),
    frozenset({"task", "job"}),
    frozenset({"trigger", "on_complete"}),
    frozenset({"on_complete", "when"}),
    frozenset({"if", "when"}),
    frozenset({"trigger", "condition"}),
    frozenset({"commands", "script", "steps"}),
    frozenset({"workflow_ref", "toolRef"}),
    frozenset({"params", "with"}),
    frozenset({"timeout", "timeoutSeconds", "timeout-minutes"}),
    frozenset({"continue_on_failure", "continueOnFailure", "continue-on-error", "allow_failure"}),
    frozenset({"matrix", "strategy"}),
    frozenset({"max_parallel", "max-parallel", "parallelism"}),
    frozenset({"for_each", "loop", "with_items", "withItems", "withParam"}),
)
#: Words for what is done in another way here.
_ADVICE: Final[Mapping[str, str]] = {
    "runs-on": "it runs on this machine, or with 'image' in a container",
    "uses": "there are no actions to use: say with 'run' what it does",
    "on": "what starts a run by itself stands in configs/schedules/",
    "stage": "the order follows from what waits for what",
    "stages": "the order follows from what waits for what",
}


def advice(word: str, known: Collection[str]) -> str:
    """What to write in place of a word that is not known here; empty when nothing comes to mind."""
    for same in _SAME:
        if word in same and (ours := sorted(same.intersection(known))):
            return f"here it is '{ours[0]}'"
    return _ADVICE.get(word) or did_you_mean(word, known)


def names(advice: str, words: Collection[str]) -> bool:
    """Whether an advice says to write one of these words."""
    return any(f"'{word}'" in advice for word in words)
