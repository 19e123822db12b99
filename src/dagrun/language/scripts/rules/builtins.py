"""Builtins of the shells that take an argument for code, for a number, or for the name of a variable."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from dagrun.language.scripts.parts import Word
from dagrun.language.scripts.rules.assignments import ASSIGNMENT, CALCULATING, Variables, assign
from dagrun.language.scripts.rules.verdict import CALCULATES, CODE, NAME, OPTION, Verdict, names

#: What may stand before the name of a builtin, and which of its options take an argument.
_PREFIXES: Final = {
    "command": "", "builtin": "", "exec": "a", "noglob": "", "nocorrect": "", "-": "", "time": "", "redirect": "",
}  # fmt: skip
_CODE: Final = names(
    "eval trap alias . source compgen complete compopt bind fc hist enable emulate sched zstyle autoload functions hash"
    " jobs compctl bindkey zle zpty zregexparse zcompile"
)
_NAMES: Final = names(
    "unset readarray mapfile getopts nameref vared zparseopts zformat zmodload setopt unsetopt shopt getln enum compound"
    " stat zstat strftime sysread syswrite sysseek sysopen syserror zsystem zselect"
)
_DECLARATIONS: Final = names("declare typeset local export readonly integer float private")
_NUMBERS: Final = names("shift exit return break continue logout bye ulimit")
#: Letters of options that give a variable no type: read-only, exported, printed, global, upper and lower case.
_UNTYPED: Final = frozenset("xrgpluf")
_COMPARES: Final = frozenset({"-eq", "-ne", "-lt", "-le", "-gt", "-ge"})
_ASKS_NAME: Final = frozenset({"-v", "-R", "-o", "-t"})
#: Options of zsh that leave the reading of a script as it is.
_HARMLESS_OPTIONS: Final = names(
    "errexit pipefail unset xtrace verbose errreturn nullglob match extendedglob globdots shwordsplit ksharrays clobber"
    " localoptions globstarshort numericglobsort monitor exec glob"
)
_PLAIN_FORMAT: Final = re.compile(r"(?:[^%]|%-?\d*(?:\.\d+)?[sbq]|%%)*", re.DOTALL)
_MANY: Final = "'{}' may get more or other words than are written, for some are in braces or escapes"


def judge_condition(words: Sequence[Word]) -> Verdict:
    """What is refused inside `[[ ]]`; quoted values are harmless there but as numbers and names."""
    verdict = Verdict()
    _compared(words, verdict)
    for before, word in pairwise(words):
        if before.value in _ASKS_NAME:
            verdict.refuse([word], NAME.format("'[['"))
    return verdict


def heads(words: Sequence[Word]) -> Iterator[int]:
    """Which words may be the name of the command: the first, or what a prefix or an empty word leaves to be it."""
    at = 0
    while at < len(words):
        yield at
        word = words[at]
        at += 1
        if word.known in _PREFIXES:
            while at < len(words) and words[at].lead.startswith("-") and len(words[at].lead) > 1:
                option = words[at].lead
                at += 2 if option[-1] in _PREFIXES[word.known] else 1
                if word.known == "command" and set(option) & set("vV"):
                    return
        elif not word.may_vanish and not (at == 1 and word.lead in ("-p", "--")):
            return


def judge_builtin(
    head: str, arguments: Sequence[Word], shell: str, verdict: Verdict, variables: Variables
) -> None:
    """What is refused of the arguments, if this is the name of a builtin."""
    if head == "alias" and any("=" in word.known or not word.fixed for word in arguments):
        verdict.rereads = "an alias changes how the rest is read; write a function"
    if head in _CODE or (head == "builtin" and shell == "ksh"):
        verdict.refuse(arguments, CODE.format(f"'{head}'"))
    elif head in _NAMES:
        verdict.refuse(arguments, NAME.format(f"'{head}'"))
    elif head == "let" or (head in _NUMBERS and shell in CALCULATING):
        verdict.refuse(arguments, CALCULATES)
    elif head in _DECLARATIONS:
        _declaration(head, arguments, shell, verdict, variables)
    elif handler := _HANDLERS.get(head):
        handler(arguments, shell, verdict, variables)
    else:
        return
    if head in ("let", "read", "mapfile", "readarray", "getopts", "set", "integer", "float"):
        _types(head, arguments, variables)
    if any(word.braces or word.escapes for word in arguments):
        verdict.refuse(arguments, _MANY.format(head))
    if shell == "zsh" and head in ("setopt", "unsetopt", "emulate", "set"):
        _zsh_options(head, arguments, verdict)


def _types(head: str, arguments: Sequence[Word], variables: Variables) -> None:
    """Builtins that make numbers or lists of variables."""
    for before, word in pairwise([Word(0), *arguments]):
        if head == "let":
            variables.calculated(word.known + ("" if word.fixed else "$"))
        elif (
            head in ("mapfile", "readarray")
            or (head == "read" and _takes_list(before))
            or (head == "set" and before.lead in ("-A", "+A"))
        ):
            variables.arrays.add(word.value)


def _takes_list(option: Word) -> bool:
    return option.lead.startswith("-") and "a" in option.lead.lower()


def _options(arguments: Sequence[Word]) -> Iterator[Word]:
    """Arguments that could be options: those before `--` and before the first that is none."""
    for word in arguments:
        if word.value == "--" or not (word.is_open or word.may_vanish or word.lead[:1] in ("-", "+")):
            return
        yield word


def _unknown_options(head: str, arguments: Sequence[Word], verdict: Verdict) -> None:
    """No value may be taken for an option."""
    verdict.refuse(
        [word for word in _options(arguments) if word.is_open],
        f"{OPTION.format(f'{head!r}')}; write -- before it",
    )


def _declaration(
    head: str, arguments: Sequence[Word], shell: str, verdict: Verdict, variables: Variables
) -> None:
    letters = {letter for word in arguments if word.lead[:1] in ("-", "+") for letter in word.lead[1:]}
    typed = head in ("integer", "float") or bool(letters - _UNTYPED - set("-aA"))
    arrays = bool(letters & set("aA"))
    for word in arguments:
        if word.lead[:1] in ("-", "+"):
            continue
        name = ASSIGNMENT.match(word.lead)
        if name is None:
            verdict.refuse([word], NAME.format(f"'{head}'"))
        elif typed or arrays:
            verdict.refuse([word], f"'{head}' with a type evaluates the value")
        else:
            assign(name[1], word, shell, verdict, variables)
            variables.declared.append((name[1], word))
        named = name[1] if name else word.value
        if typed:
            variables.typed.add(named)
        if arrays:
            variables.arrays.add(named)


def _test(arguments: Sequence[Word], shell: str, verdict: Verdict, _: Variables) -> None:
    for before, word in pairwise(arguments):
        if before.lead in ("-v", "-R") or (before.lead in _ASKS_NAME and shell in CALCULATING):
            verdict.refuse([word], NAME.format("'test'"))
        elif before.is_open and word.holes:
            verdict.refuse([before, word], "one of two values side by side could be an operator")
    if shell in CALCULATING:
        _compared(arguments, verdict)
        for left, operator, right in zip(arguments, arguments[1:], arguments[2:], strict=False):
            if not operator.lead and not operator.fixed:
                verdict.refuse([left, right], "the operator beside it could make arithmetic of it")


def _compared(words: Sequence[Word], verdict: Verdict) -> None:
    for before, word in pairwise(words):
        if before.value in _COMPARES:
            verdict.refuse([word], CALCULATES)
        if word.value in _COMPARES:
            verdict.refuse([before], CALCULATES)


def _printf(arguments: Sequence[Word], shell: str, verdict: Verdict, variables: Variables) -> None:
    if arguments and arguments[0].lead.startswith("-v"):
        name, rest = arguments[1:2], arguments[2:]
        if arguments[0].value != "-v":
            name, rest = arguments[:1], arguments[1:]
        verdict.refuse(name, NAME.format("'printf -v'"))
        for word in name:
            variables_name = re.match(r"\w*", word.known.removeprefix("-v"))
            for value in rest:
                assign(variables_name[0] if variables_name else "", value, shell, verdict, variables)
        arguments = rest
    if any(word.may_vanish for word in arguments[:1]):
        return verdict.refuse(arguments, "'printf' could take it for an option; quote the word before it")
    if arguments and arguments[0].value == "--":
        arguments = arguments[1:]
    elif arguments and arguments[0].is_open:
        return verdict.refuse(arguments[:1], "'printf' could take it for an option; write printf '%s'")
    if not arguments:
        return None
    text, *values = arguments
    if text.holes and (shell in CALCULATING or any(word.holes for word in values)):
        verdict.refuse([text], "a value in the format could take another for a name; write printf '%s'")
    elif shell in CALCULATING and (text.value is None or not _PLAIN_FORMAT.fullmatch(text.value)):
        verdict.refuse(values, CALCULATES)
    elif re.search(r"%[^a-zA-Z%]*n", text.known):
        verdict.refuse(values, NAME.format("'%n'"))
    return None


def _print(arguments: Sequence[Word], shell: str, verdict: Verdict, _: Variables) -> None:
    if shell not in CALCULATING:
        return
    _unknown_options("print", arguments, verdict)
    for word in _options(arguments):
        if word.value is None or set(word.value) - set("-rnl"):
            verdict.refuse(arguments, CODE.format("'print' with this option"))


def _read(arguments: Sequence[Word], shell: str, verdict: Verdict, _: Variables) -> None:
    """Only what an option takes is no name, in the shells that do not calculate."""
    takes = "" if shell in CALCULATING else "pdinNtu"
    argument = False
    for word in arguments:
        if argument:
            argument = False
            continue
        letters = word.lead[1:] if word.lead.startswith("-") else ""
        taking = next((at for at, letter in enumerate(letters) if letter in takes), None)
        if taking is None or "a" in letters[:taking]:
            verdict.refuse([word], NAME.format("'read'"))
        else:
            argument = word.fixed and taking == len(letters) - 1


def _set(arguments: Sequence[Word], _: str, verdict: Verdict, __: Variables) -> None:
    if any(word.lead[:2] in ("-A", "+A") for word in arguments):
        verdict.refuse(arguments, NAME.format("'set -A'"))
    _unknown_options("set", arguments, verdict)


def _wait(arguments: Sequence[Word], _: str, verdict: Verdict, __: Variables) -> None:
    if any(word.lead.startswith("-") and "p" in word.lead for word in arguments):
        verdict.refuse(arguments, NAME.format("'wait -p'"))
    _unknown_options("wait", arguments, verdict)


_HANDLERS: Final = {
    "test": _test, "[": _test, "printf": _printf, "print": _print, "read": _read, "set": _set, "wait": _wait,
}  # fmt: skip


def _zsh_options(head: str, arguments: Sequence[Word], verdict: Verdict) -> None:
    """Options may change what a quote or a comment is, from the next line on."""
    options: list[str] = []
    for word in arguments:
        operand = word.lead[:1] not in ("-", "+") or word.value == "--"
        if head == "set" and operand and options[-1:] not in (["-o"], ["+o"]):
            break
        options.append(word.value or "?")
    for option in options:
        if option[0] in "-+" and head != "emulate":
            harmless = not set(option[1:]) - set("euxvfoA")
        else:
            name = option.lower().replace("_", "")
            harmless = name in _HARMLESS_OPTIONS or name.removeprefix("no") in _HARMLESS_OPTIONS
        if head == "emulate":
            harmless = option in ("-L", "zsh")
        if not harmless:
            verdict.rereads = f"'{head} {option}' may change how the rest is read"
