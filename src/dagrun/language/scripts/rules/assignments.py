"""Assignments, which may evaluate the value that they assign."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from dagrun.language.scripts.parts import Word
from dagrun.language.scripts.rules.verdict import Verdict, names

#: A name, perhaps a subscript, and the sign. A subscript may hold brackets and signs of its own.
ASSIGNMENT: Final = re.compile(r"([A-Za-z_]\w*)(?:\[.*?\])?\+?=", re.DOTALL)
#: Shells in which arithmetic makes numbers of variables, and in which most numbers are arithmetic.
CALCULATING: Final = ("ksh", "zsh")

#: Variables whose value a shell runs or expands, in the script or when another one starts.
EVALUATED: Final = names(
    "PS0 PS1 PS2 PS3 PS4 PROMPT_COMMAND BASH_ENV ENV SHELLOPTS BASHOPTS BASH_ALIASES BASH_CMDS"
)
_NUMBERS: Final = names("RANDOM SRANDOM OPTIND HISTCMD")
_ZSH: Final = names(
    "PROMPT PROMPT2 PROMPT3 PROMPT4 RPROMPT RPROMPT2 RPS1 RPS2 SPROMPT prompt NULLCMD READNULLCMD functions dis_functions"
    " aliases dis_aliases galiases dis_galiases saliases dis_saliases options"
)
_CALCULATED: Final = names(
    "COLUMNS LINES HISTSIZE SAVEHIST TMOUT KEYTIMEOUT MAILCHECK LISTMAX FUNCNEST SHLVL ERRNO TTYIDLE DIRSTACKSIZE BAUD"
    " LOGCHECK REPORTTIME REPORTMEMORY SECONDS LINENO UID EUID GID EGID PPID TRY_BLOCK_ERROR TRY_BLOCK_INTERRUPT"
)
#: Those whose value well-known programs run as a command.
_COMMANDS: Final = names(
    "GIT_SSH_COMMAND GIT_SSH GIT_EDITOR GIT_SEQUENCE_EDITOR GIT_PAGER GIT_ASKPASS GIT_EXTERNAL_DIFF EDITOR VISUAL PAGER"
    " MANPAGER LESSOPEN LESSCLOSE PERL5OPT PERL5DB RUBYOPT RSYNC_RSH"
)
_NAME: Final = re.compile(r"[A-Za-z_]\w*")
_CHANGES: Final = re.compile(r"(?<![=!<>])=(?!=)|\+\+|--")


def why_not(name: str, shell: str) -> str:
    """Why no value may be assigned to this variable in a script; empty if it may."""
    if name in _NUMBERS or (shell in CALCULATING and name in _CALCULATED):
        return f"the shell takes the value of {name} for arithmetic"
    if shell == "zsh" and name in _ZSH:
        return f"the shell evaluates the value of {name}"
    return why_not_inherited(name)


def why_not_inherited(name: str) -> str:
    """Why no value may be handed to programs as this variable; empty if it may."""
    if is_evaluated(name):
        return f"the shell evaluates the value of {name}"
    return f"the value of {name} is run as a command" if name in _COMMANDS else ""


def is_evaluated(name: str) -> bool:
    """Whether a shell that finds this variable in its environment evaluates its value."""
    return name in EVALUATED


@dataclass(slots=True)
class Variables:
    """What one script says of its variables. None stands for a name that is known only when the script runs."""

    #: Those of a type that evaluates what is assigned.
    typed: set[str | None] = field(default_factory=set)
    arrays: set[str | None] = field(default_factory=set)
    #: Words that give a variable its value, each with its name.
    assigned: list[tuple[str, Word]] = field(default_factory=list)
    #: The same, in a declaration, which reads `(..)` as a list if the variable is an array.
    declared: list[tuple[str, Word]] = field(default_factory=list)

    def calculated(self, arithmetic: str) -> None:
        """Arithmetic may make numbers of variables."""
        if _CHANGES.search(arithmetic):
            self.typed.update(_NAME.findall(arithmetic))
            if "$" in arithmetic:
                self.typed.add(None)

    def refused(self) -> Iterator[tuple[Word, str]]:
        """Words whose value would be evaluated, and why."""
        for name, word in self._of((*self.assigned, *self.declared), self.typed):
            yield (
                word,
                f"'{name}' is declared a number or a reference, which evaluates what is assigned to it",
            )
        for name, word in self._of(self.declared, self.arrays):
            yield word, f"'{name}' is an array, whose declaration reads the value as a list"

    @staticmethod
    def _of(assigned: Iterable[tuple[str, Word]], names: set[str | None]) -> Iterator[tuple[str, Word]]:
        return ((name, word) for name, word in assigned if word.holes and (name in names or None in names))


def judge_assignments(
    words: Sequence[Word], shell: str, verdict: Verdict, variables: Variables
) -> Sequence[Word]:
    """Those that a command begins with; what follows them is returned."""
    start = 0
    # Quotes before the `=` would make it an ordinary word.
    while start < len(words) and (name := ASSIGNMENT.match(words[start].raw)):
        assign(name[1], words[start], shell, verdict, variables)
        start += 1
    words = words[start:]
    if words and re.match(r"[\w\0]*\0[\w\0]*\+?=", words[0].raw):
        verdict.refuse(words[:1], "this is the name of a variable")
    return words


def assign(name: str, word: Word, shell: str, verdict: Verdict, variables: Variables) -> None:
    """A variable is given the value of a word."""
    variables.assigned.append((name, word))
    if why := why_not(name, shell):
        verdict.refuse([word], why)
