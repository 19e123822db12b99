"""Builtins of the shells that take an argument for code, for a number, or for the name of a variable."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from dagrun.scripts.parts import Word
from dagrun.scripts.rules.assignments import ASSIGNMENT, RUN_VARIABLE, RUN_VARIABLES
from dagrun.scripts.rules.verdict import CALCULATES, CODE, NAME, OPTION, Verdict, names

#: What may stand before the name of a builtin.
_PREFIXES: Final = frozenset({"command", "builtin", "exec", "noglob", "nocorrect", "-", "time"})
_CODE_BUILTINS: Final = names(
    "eval trap alias . source compgen complete compopt bind fc enable emulate sched zstyle autoload functions"
)
_NAME_BUILTINS: Final = names(
    "unset read readarray mapfile getopts nameref vared zparseopts zformat zmodload setopt unsetopt shopt"
)
_DECLARATIONS: Final = names("declare typeset local export readonly integer float")
_NUMBER_BUILTINS: Final = names("shift exit return break continue ulimit")
_COMPARES: Final = frozenset({"-eq", "-ne", "-lt", "-le", "-gt", "-ge"})
_ASKS_NAME: Final = frozenset({"-v", "-R", "-o", "-t"})
_CALCULATING: Final = ("ksh", "zsh")


def judge_condition(words: Sequence[Word]) -> Verdict:
    """What is refused inside `[[ ]]`; quoted values are harmless there but as numbers and names."""
    verdict = Verdict()
    _compared(words, verdict)
    for before, word in pairwise(words):
        if before.value in _ASKS_NAME:
            verdict.refuse([word], NAME.format("'[['"))
    return verdict


def heads(words: Sequence[Word]) -> Iterator[tuple[str, Sequence[Word]]]:
    """What the name of the command may be, without what may stand before a builtin, and its arguments."""
    prefixed = False
    for at, word in enumerate(words):
        # A part that is not known may turn out empty: `${SUDO}eval`, `$DRY_RUN eval`.
        yield word.known, words[at + 1 :]
        if word.known in _PREFIXES:
            prefixed = True
        elif word.value is not None and not ((prefixed or at == 0) and word.known.startswith("-")):
            return


def judge_builtin(head: str, arguments: Sequence[Word], shell: str, verdict: Verdict) -> None:
    """What is refused of the arguments, if this is the name of a builtin."""
    if head in _CODE_BUILTINS:
        verdict.refuse(arguments, CODE.format(f"'{head}'"))
    elif head in _NAME_BUILTINS or (head == "set" and any(word.lead in ("-A", "+A") for word in arguments)):
        verdict.refuse(arguments, NAME.format(f"'{head}'"))
    elif head == "let" or (head in _NUMBER_BUILTINS and shell in _CALCULATING):
        verdict.refuse(arguments, CALCULATES)
    elif head in _DECLARATIONS:
        _declaration(head, arguments, verdict)
    elif head in ("test", "["):
        _test(arguments, shell, verdict)
    elif head == "printf":
        _printf(arguments, shell, verdict)
    elif head == "print" and shell in _CALCULATING:
        _print(arguments, verdict)
    elif head == "wait" and any(word.lead.startswith("-") and "p" in word.lead for word in arguments):
        verdict.refuse(arguments, NAME.format("'wait -p'"))
    elif head == "env":
        _env(arguments, verdict)


def _declaration(head: str, arguments: Sequence[Word], verdict: Verdict) -> None:
    types = head in ("integer", "float") or any(
        word.lead[:1] in ("-", "+") and set(word.lead[1:]) - set("xrgp-") for word in arguments
    )
    for word in arguments:
        name = ASSIGNMENT.match(word.lead)
        if name is None:
            verdict.refuse([word], NAME.format(f"'{head}'"))
        elif types:
            verdict.refuse([word], f"'{head}' with a type evaluates the value")
        elif name[1] in RUN_VARIABLES:
            verdict.refuse([word], RUN_VARIABLE.format(name[1]))
        else:
            verdict.assigned.append(word)


def _test(arguments: Sequence[Word], shell: str, verdict: Verdict) -> None:
    for before, word in pairwise(arguments):
        if before.lead in ("-v", "-R") or before.is_open:
            verdict.refuse([word], NAME.format("'test'"))
    if shell in _CALCULATING:
        _compared(arguments, verdict)


def _compared(words: Sequence[Word], verdict: Verdict) -> None:
    for before, word in pairwise(words):
        if before.value in _COMPARES:
            verdict.refuse([word], CALCULATES)
        if word.value in _COMPARES:
            verdict.refuse([before], CALCULATES)


def _printf(arguments: Sequence[Word], shell: str, verdict: Verdict) -> None:
    if arguments and arguments[0].lead.startswith("-v"):
        verdict.refuse(arguments, NAME.format("'printf -v'"))
    if arguments and arguments[0].value == "--":
        arguments = arguments[1:]
    if not arguments:
        return
    text, *values = arguments
    calculates = shell in _CALCULATING
    if text.holes and (calculates or any(word.holes for word in values)):
        verdict.refuse([text], "a value in the format could take another for a name; write printf '%s'")
    elif calculates and (text.value is None or re.search(r"%(?![sbq%])", text.value)):
        verdict.refuse(values, CALCULATES)


def _print(arguments: Sequence[Word], verdict: Verdict) -> None:
    if any(word.lead.startswith("-") and set(word.lead) & set("PvfzsSCp") for word in arguments):
        verdict.refuse(arguments, CODE.format("'print' with this option"))
    elif arguments and arguments[0].is_open and any(word.holes for word in arguments[1:]):
        verdict.refuse(arguments[:1], OPTION.format("'print'"))


def _env(arguments: Sequence[Word], verdict: Verdict) -> None:
    for word in arguments:
        if word.is_open or (word.holes and word.lead.startswith(("-S", "--split-string"))):
            verdict.refuse([word], OPTION.format("'env'"))
        elif word.value in ("-S", "--split-string"):
            return verdict.refuse(arguments, CODE.format("'env -S'"))
        elif not word.lead.startswith("-") and not ASSIGNMENT.match(word.lead):
            return None
    return None
