"""Builtins, and options of builtins, that some shells called `sh` do not have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

from dagrun.language.scripts.parts import Word
from dagrun.language.scripts.rules.assignments import ASSIGNMENT
from dagrun.language.scripts.rules.command_check import name_set

_BUILTINS: Final = name_set(
    "source declare typeset let shopt mapfile readarray pushd popd dirs enable builtin caller compgen complete disown"
)
#: Options of builtins that exist only in bash.
_OPTIONS: Final = {
    "local": "aAinrxlug", "export": "fn", "readonly": "aAf", "read": "adinNstu", "printf": "v", "test": "v", "[": "v", "exec": "acl",
    "wait": "np", "type": "tPpa",
}  # fmt: skip


def note_builtin(words: Sequence[Word], note: Callable[[int, str], None]) -> None:
    """Note what one simple command uses that only bash and similar shells know."""
    words = list(words)
    for word in words:
        if (name := ASSIGNMENT.match(word.raw)) is None:
            break
        if name[0].endswith("+="):
            note(word.start, "+=")
        elif name[0].endswith("]="):
            note(word.start, "an array")
    else:
        return
    head, *arguments = words[words.index(word) :]
    name_of = head.value
    if name_of in _BUILTINS:
        note(head.start, name_of)
    elif name_of == "set":
        for before, option in pairwise(arguments):
            if (
                before.value in ("-o", "+o", "-eo", "-euo", "-ueo", "-uo", "-exo", "-euxo")
                and option.value == "pipefail"
            ):
                note(option.start, "pipefail")
    elif name_of in ("test", "["):
        for argument in arguments:
            if argument.value == "==":
                note(argument.start, "==")
    elif name_of == "echo" and arguments and arguments[0].value in ("-e", "-en", "-ne"):
        note(arguments[0].start, "echo -e")
    elif name_of == "trap" and any(argument.value in ("ERR", "DEBUG", "RETURN") for argument in arguments):
        note(head.start, "trap ERR")
    if name_of in _OPTIONS:
        for argument in arguments:
            if not argument.lead.startswith("-"):
                break
            if set(argument.lead[1:2]) & set(_OPTIONS[name_of]):
                note(argument.start, f"{name_of} {argument.lead[:2]}")
