"""Assignments, which may run or calculate with the value that they assign."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from dagrun.scripts.parts import Word
from dagrun.scripts.rules.verdict import Verdict, names

ASSIGNMENT: Final = re.compile(r"([A-Za-z_]\w*)(?:\[[^\]]*\])?\+?=")
#: Variables whose value the shell, or a well-known program, runs or calculates with.
RUN_VARIABLES: Final = names(
    "PS0 PS1 PS2 PS3 PS4 PROMPT PROMPT2 PROMPT3 PROMPT4 RPROMPT SPROMPT PROMPT_COMMAND BASH_ENV SHELLOPTS BASHOPTS"
    " RANDOM SRANDOM SECONDS OPTIND LINENO COLUMNS LINES HISTSIZE HISTCMD SAVEHIST TMOUT KEYTIMEOUT MAILCHECK LISTMAX"
    " FUNCNEST SHLVL UID EUID GID EGID PPID ERRNO TTYIDLE DIRSTACKSIZE BAUD LOGCHECK REPORTTIME REPORTMEMORY HISTFILESIZE"
    " EPOCHSECONDS BASHPID GIT_SSH_COMMAND GIT_SSH GIT_EDITOR GIT_SEQUENCE_EDITOR GIT_PAGER GIT_ASKPASS"
    " GIT_EXTERNAL_DIFF EDITOR VISUAL PAGER MANPAGER LESSOPEN LESSCLOSE PERL5OPT PERL5DB RUBYOPT RSYNC_RSH"
)
RUN_VARIABLE: Final = "the value of {} is run or calculated with"

_TYPED: Final = re.compile(
    r"\b(?:declare|typeset|local|export|readonly)\b[^\n;&|]*?\s[-+][A-Za-z]*[^\W\dxrgp_]|\b(?:integer|float|nameref)\s"
)
_ARRAYS: Final = re.compile(r"\w\+?=\(|\b(?:mapfile|readarray)\b|\bread\b[^\n;]*\s-\w*a|\bset\s+[-+]A\b")
_CALCULATED: Final = re.compile(r"\(\([^)]*(?:[^=!<>]=(?!=)|\+\+|--|[-+*/%&|^]=|<<=|>>=)|\blet\b|\$\[[^\]]*=")


def judge_assignments(words: Sequence[Word], verdict: Verdict) -> Sequence[Word]:
    """Those that a command begins with; what follows them is returned."""
    start = 0
    # Quotes before the `=` would make it an ordinary word.
    while start < len(words) and (name := ASSIGNMENT.match(words[start].raw)):
        verdict.assigned.append(words[start])
        if name[1] in RUN_VARIABLES:
            verdict.refuse([words[start]], RUN_VARIABLE.format(name[1]))
        start += 1
    words = words[start:]
    if words and re.match(r"[\w\0]*\0[\w\0]*\+?=", words[0].raw):
        verdict.refuse(words[:1], "this is the name of a variable")
    return words


def evaluating_assignments(text: str, shell: str) -> str:
    """Why no value may be assigned in this script; empty if it may.

    An assignment to a variable that was declared a number or a reference evaluates the value; `declare` and `local` do
    so for an array. Which variable is of which type is not followed.
    """
    if _TYPED.search(text):
        return "the script declares variables of a type, which evaluate what is assigned to them"
    if _ARRAYS.search(text) and re.search(r"\b(?:declare|typeset|local)\b", text):
        return "the script has arrays and declarations, which together evaluate what is assigned"
    if shell in ("ksh", "zsh") and _CALCULATED.search(text):
        return "arithmetic makes variables numbers in this shell, which evaluate what is assigned to them"
    return ""
