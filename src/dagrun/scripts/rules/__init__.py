"""Which arguments of which commands are parsed as code again, so that no value may stand in them.

The lists err on the side of refusing. They know programs by what their manuals call a program text, not what every
option of every tool can be bent to.
"""

from __future__ import annotations

from collections.abc import Sequence

from dagrun.scripts.parts import Word
from dagrun.scripts.rules.assignments import evaluating_assignments, judge_assignments
from dagrun.scripts.rules.builtins import heads, judge_builtin, judge_condition
from dagrun.scripts.rules.programs import judge_programs
from dagrun.scripts.rules.verdict import Verdict

__all__ = ["Verdict", "evaluating_assignments", "judge", "judge_condition"]


def judge(words: Sequence[Word], shell: str) -> Verdict:
    """What is refused in one simple command."""
    verdict = Verdict()
    if words := judge_assignments(words, verdict):
        for head, arguments in heads(words):
            judge_builtin(head, arguments, shell, verdict)
        judge_programs(words, verdict)
    return verdict
