"""Assignments: a shell may evaluate the value that they assign."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from dagrun.language.scripts.parts import Word
from dagrun.language.scripts.rules.command_check import CommandCheck, name_set
from dagrun.value import field

#: A name, perhaps a subscript, and the sign. A subscript may contain brackets and signs of its own.
ASSIGNMENT: Final = re.compile(r"([A-Za-z_]\w*)(?:\[.*?\])?\+?=", re.DOTALL)
#: Shells in which arithmetic turns variables into numbers, and in which builtins read most numbers as arithmetic.
CALCULATING: Final = ("ksh", "zsh")
EVALUATES: Final = "the shell evaluates the value of {}"

#: Variables whose value a shell executes or expands, in the script or when another shell starts.
_EVALUATED: Final = name_set(
    "PS0 PS1 PS2 PS3 PS4 PROMPT_COMMAND BASH_ENV ENV SHELLOPTS BASHOPTS BASH_ALIASES BASH_CMDS"
)
_NUMBERS: Final = name_set("RANDOM SRANDOM OPTIND HISTCMD")
_ZSH: Final = name_set(
    "PROMPT PROMPT2 PROMPT3 PROMPT4 RPROMPT RPROMPT2 RPS1 RPS2 SPROMPT prompt NULLCMD READNULLCMD functions dis_functions"
    " aliases dis_aliases galiases dis_galiases saliases dis_saliases options"
)
_CALCULATED: Final = name_set(
    "COLUMNS LINES HISTSIZE SAVEHIST TMOUT KEYTIMEOUT MAILCHECK LISTMAX FUNCNEST SHLVL ERRNO TTYIDLE DIRSTACKSIZE BAUD"
    " LOGCHECK REPORTTIME REPORTMEMORY SECONDS LINENO UID EUID GID EGID PPID TRY_BLOCK_ERROR TRY_BLOCK_INTERRUPT"
)

_NAME: Final = re.compile(r"[A-Za-z_]\w*")
_CHANGES: Final = re.compile(r"(?<![=!<>])=(?!=)|\+\+|--")


def why_not(name: str, shell: str) -> str:
    """Why a script must not assign a value to this variable; empty if it may."""
    if name in _NUMBERS or (shell in CALCULATING and name in _CALCULATED):
        return f"the shell reads the value of {name} as arithmetic"
    return EVALUATES.format(name) if is_evaluated(name) or (shell == "zsh" and name in _ZSH) else ""


def is_evaluated(name: str) -> bool:
    """Whether a shell evaluates the value of this variable when it finds it in its environment."""
    return name in _EVALUATED


class ScriptVariables(msgspec.Struct):
    """What is known about the variables of one script. None stands for a name that is known only at run time."""

    #: Those with a type that evaluates what is assigned to them.
    typed: set[str | None] = field(default_factory=set)
    arrays: set[str | None] = field(default_factory=set)
    #: Words that assign a value, each with the name of the variable.
    assigned: list[tuple[str, Word]] = field(default_factory=list)
    #: The same, in a declaration, which reads `(..)` as a list if the variable is an array.
    declared: list[tuple[str, Word]] = field(default_factory=list)

    def calculated(self, arithmetic: str) -> None:
        """Record that this arithmetic turns variables into numbers."""
        if _CHANGES.search(arithmetic):
            self.typed.update(_NAME.findall(arithmetic))
            if "$" in arithmetic:
                self.typed.add(None)

    def refused(self) -> Iterator[tuple[Word, str]]:
        """Words with values that would be evaluated, and why."""
        for name, word in self._of((*self.assigned, *self.declared), self.typed):
            yield (
                word,
                f"'{name}' is declared as a number or a reference, which evaluates the assigned value",
            )
        for name, word in self._of(self.declared, self.arrays):
            yield word, f"'{name}' is an array, whose declaration reads the value as a list"

    @staticmethod
    def _of(assigned: Iterable[tuple[str, Word]], name_set: set[str | None]) -> Iterator[tuple[str, Word]]:
        return (
            (name, word)
            for name, word in assigned
            if word.placeholders and (name in name_set or None in name_set)
        )


def check_assignments(
    words: Sequence[Word], shell: str, check: CommandCheck, variables: ScriptVariables
) -> Sequence[Word]:
    """Check the assignments at the start of a command; return the words after them."""
    start = 0
    # Quotes before the `=` would make it an ordinary word.
    while start < len(words) and (name := ASSIGNMENT.match(words[start].raw)):
        assign(name[1], words[start], shell, check, variables)
        start += 1
    words = words[start:]
    if words and re.match(r"[\w\0]*\0[\w\0]*\+?=", words[0].raw):
        check.refuse(words[:1], "this is the name of a variable")
    return words


def assign(name: str, word: Word, shell: str, check: CommandCheck, variables: ScriptVariables) -> None:
    """Record and check the assignment of a word to a variable."""
    variables.assigned.append((name, word))
    if why := why_not(name, shell):
        check.refuse([word], why)
