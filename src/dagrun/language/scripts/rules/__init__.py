"""Which arguments of which commands are parsed as code again, so that no value may stand in them.

`assignments` and `builtins` are about the script's own shell, and are meant to be complete. `programs` is a short table
of what is well known: it finds the common mistake.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from typing import Final

from dagrun.language.scripts.parts import Word
from dagrun.language.scripts.rules.assignments import Variables, is_evaluated, judge_assignments
from dagrun.language.scripts.rules.builtins import heads, judge_builtin, judge_condition
from dagrun.language.scripts.rules.programs import judge_program
from dagrun.language.scripts.rules.verdict import COMMAND, Verdict

__all__ = ["Variables", "Verdict", "is_evaluated", "judge", "judge_condition"]

#: Words before the name of a command: more than anyone writes.
_MOST_BEFORE: Final = 20
#: Words inside `${..}`, after its sign.
_DEFAULT: Final = re.compile(r"(?<=[-=+ ])[\w.]+|(?<=[-=+ ])\[")


def judge(words: Sequence[Word], shell: str, variables: Variables) -> Verdict:
    """What is refused in one simple command."""
    verdict = Verdict()
    words = judge_assignments(words, shell, verdict, variables)
    if not words:
        return verdict
    candidates = list(islice(heads(words), _MOST_BEFORE))
    for at in candidates:
        _judge_head(words[at], words[at + 1 :], shell, verdict, variables, first=at == 0)
    if len(candidates) == _MOST_BEFORE:
        verdict.refuse(words, "too many words stand before the name of the command")
    judge_program(words, candidates[-1], verdict)
    return verdict


def _judge_head(
    head: Word, arguments: Sequence[Word], shell: str, verdict: Verdict, variables: Variables, *, first: bool
) -> None:
    """What is refused if this word is the name of the command."""
    why = COMMAND if first else f"{COMMAND}, or could be if what stands before it is empty: quote that"
    verdict.refuse([head], why)
    if head.braces or head.escapes:
        verdict.refuse(arguments, "the name of the command cannot be told from its braces or escapes")
    # A part that is not known may turn out empty: `${a}eval`; or be what is written in it: `${a:-eval}`.
    within = _DEFAULT.findall(head.raw) if "${" in head.raw else ()
    for name in (head.known, *within):
        judge_builtin(name, arguments, shell, verdict, variables)
