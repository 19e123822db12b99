"""Builtins of the shells that read an argument as code, as a number, or as the name of a variable."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from dagrun.language.scripts.parts import Word, shortened
from dagrun.language.scripts.rules.assignments import ASSIGNMENT, CALCULATING, ScriptVariables, assign
from dagrun.language.scripts.rules.command_check import CALCULATES, CODE, NAME, OPTION, CommandCheck, name_set

#: Words that may come before the name of a builtin, with the letters of their options that take an argument.
_PREFIXES: Final = {
    "command": "", "builtin": "", "exec": "a", "noglob": "", "nocorrect": "", "-": "", "time": "", "redirect": "",
}  # fmt: skip
_CODE: Final = name_set("eval trap alias . source compgen complete compopt bind fc enable hash jobs")
_NAMES: Final = name_set("unset readarray mapfile getopts shopt")
_DECLARATIONS: Final = name_set("declare typeset local export readonly")
#: The same in ksh and zsh. In other shells these are names of ordinary programs, such as `stat`.
_MORE_CODE: Final = name_set(
    "hist emulate sched zstyle autoload functions compctl bindkey zle zpty zregexparse zcompile"
)
_MORE_NAMES: Final = name_set(
    "nameref vared zparseopts zformat zmodload setopt unsetopt getln enum compound stat zstat strftime sysread syswrite"
    " sysseek sysopen syserror zsystem zselect"
)
_MORE_DECLARATIONS: Final = name_set("integer float private")
_NUMBERS: Final = name_set("shift exit return break continue logout bye ulimit")
#: Options of declarations that do not set a type: read-only, exported, printed, global, upper and lower case.
_UNTYPED: Final = frozenset("xrgpluf")
_COMPARES: Final = frozenset({"-eq", "-ne", "-lt", "-le", "-gt", "-ge"})
_ASKS_NAME: Final = frozenset({"-v", "-R", "-o", "-t"})
#: Options of zsh that do not change how a script is parsed.
_HARMLESS_OPTIONS: Final = name_set(
    "errexit pipefail unset xtrace verbose errreturn nullglob match extendedglob globdots shwordsplit ksharrays clobber"
    " localoptions globstarshort numericglobsort monitor exec glob"
)
_PLAIN_FORMAT: Final = re.compile(r"(?:[^%]|%-?\d*(?:\.\d+)?[sbq]|%%)*", re.DOTALL)
_MANY: Final = "'{}' may receive other arguments than the script shows: some have braces or escapes"


def check_condition(words: Sequence[Word]) -> CommandCheck:
    """Check the inside of `[[ ]]`. Quoted values are harmless there, except as numbers and names."""
    check = CommandCheck()
    _compared(words, check)
    for before, word in pairwise(words):
        if before.value in _ASKS_NAME:
            check.refuse([word], NAME.format("'[['"))
    return check


def command_positions(words: Sequence[Word]) -> Iterator[int]:
    """Indexes of the words that may be the name of the command: the first, and those after a prefix or an empty word."""
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
        elif not word.may_expand_to_nothing and not (at == 1 and word.lead in ("-p", "--")):
            return


def check_builtin(
    head: str, arguments: Sequence[Word], shell: str, check: CommandCheck, variables: ScriptVariables
) -> None:
    """Check the arguments if this is the name of a builtin."""
    if head == "alias" and any("=" in word.known or not word.fixed for word in arguments):
        check.changes_parsing = "an alias changes how the rest of the script is read; write a function"
    more = shell in CALCULATING
    if head in _CODE or (more and head in _MORE_CODE) or (head == "builtin" and shell == "ksh"):
        check.refuse(arguments, CODE.format(f"'{head}'"))
    elif head in _NAMES or (more and head in _MORE_NAMES):
        check.refuse(arguments, NAME.format(f"'{head}'"))
    elif head == "let" or (more and head in _NUMBERS):
        check.refuse(arguments, CALCULATES)
    elif head in _DECLARATIONS or (more and head in _MORE_DECLARATIONS):
        _declaration(head, arguments, shell, check, variables)
    elif handler := _HANDLERS.get(head):
        handler(arguments, shell, check, variables)
    else:
        return
    if head in ("let", "read", "mapfile", "readarray", "getopts", "set", "integer", "float"):
        _types(head, arguments, variables)
    if any(word.braces or word.escapes for word in arguments):
        check.refuse(arguments, _MANY.format(head))
    if shell == "zsh" and head in ("setopt", "unsetopt", "emulate", "set"):
        _zsh_options(head, arguments, check)


def _types(head: str, arguments: Sequence[Word], variables: ScriptVariables) -> None:
    """Record the variables that a builtin turns into numbers or lists."""
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
    """Arguments that could be options: those before `--` and before the first that is not an option."""
    for word in arguments:
        if word.value == "--" or not (
            word.starts_with_placeholder or word.may_expand_to_nothing or word.lead[:1] in ("-", "+")
        ):
            return
        yield word


def _unknown_options(head: str, arguments: Sequence[Word], check: CommandCheck) -> None:
    """Refuse values that could be read as options."""
    check.refuse(
        [word for word in _options(arguments) if word.starts_with_placeholder],
        f"{OPTION.format(repr(head))}; write -- before it",
    )


def _declaration(
    head: str, arguments: Sequence[Word], shell: str, check: CommandCheck, variables: ScriptVariables
) -> None:
    letters = {letter for word in arguments if word.lead[:1] in ("-", "+") for letter in word.lead[1:]}
    typed = head in ("integer", "float") or bool(letters - _UNTYPED - set("-aA"))
    arrays = bool(letters & set("aA"))
    for word in arguments:
        if word.lead[:1] in ("-", "+"):
            continue
        name = ASSIGNMENT.match(word.lead)
        if name is None:
            check.refuse([word], NAME.format(f"'{head}'"))
        elif typed or arrays:
            check.refuse([word], f"'{head}' with a type evaluates the value")
        else:
            assign(name[1], word, shell, check, variables)
            variables.declared.append((name[1], word))
        named = name[1] if name else word.value
        if typed:
            variables.typed.add(named)
        if arrays:
            variables.arrays.add(named)


def _test(arguments: Sequence[Word], shell: str, check: CommandCheck, _: ScriptVariables) -> None:
    for before, word in pairwise(arguments):
        if before.lead in ("-v", "-R") or (before.lead in _ASKS_NAME and shell in CALCULATING):
            check.refuse([word], NAME.format("'test'"))
        elif before.starts_with_placeholder and word.placeholders:
            check.refuse([before, word], "one of two values next to each other could be read as an operator")
    if shell in CALCULATING:
        _compared(arguments, check)
        for left, operator, right in zip(arguments, arguments[1:], arguments[2:], strict=False):
            if not operator.lead and not operator.fixed:
                check.refuse(
                    [left, right], "the operator next to it could be one that reads it as arithmetic"
                )


def _compared(words: Sequence[Word], check: CommandCheck) -> None:
    for before, word in pairwise(words):
        if before.value in _COMPARES:
            check.refuse([word], CALCULATES)
        if word.value in _COMPARES:
            check.refuse([before], CALCULATES)


def _printf(arguments: Sequence[Word], shell: str, check: CommandCheck, variables: ScriptVariables) -> None:
    if arguments and arguments[0].lead.startswith("-v"):
        name, rest = arguments[1:2], arguments[2:]
        if arguments[0].value != "-v":
            name, rest = arguments[:1], arguments[1:]
        check.refuse(name, NAME.format("'printf -v'"))
        for word in name:
            variables_name = re.match(r"\w*", word.known.removeprefix("-v"))
            for value in rest:
                assign(variables_name[0] if variables_name else "", value, shell, check, variables)
        arguments = rest
    if any(word.may_expand_to_nothing for word in arguments[:1]):
        return check.refuse(arguments, "'printf' could read it as an option; quote the word before it")
    if arguments and arguments[0].value == "--":
        arguments = arguments[1:]
    elif arguments and arguments[0].starts_with_placeholder:
        return check.refuse(arguments[:1], "'printf' could read it as an option; write printf '%s'")
    if not arguments:
        return None
    text, *values = arguments
    if text.placeholders and (shell in CALCULATING or any(word.placeholders for word in values)):
        check.refuse(
            [text], "a value in the format could make printf read another value as a name; write printf '%s'"
        )
    elif shell in CALCULATING and (text.value is None or not _PLAIN_FORMAT.fullmatch(text.value)):
        check.refuse(values, CALCULATES)
    elif re.search(r"%[^a-zA-Z%]*n", text.known):
        check.refuse(values, NAME.format("'%n'"))
    return None


def _print(arguments: Sequence[Word], shell: str, check: CommandCheck, _: ScriptVariables) -> None:
    if shell not in CALCULATING:
        return
    _unknown_options("print", arguments, check)
    for word in _options(arguments):
        if word.value is None or set(word.value) - set("-rnl"):
            check.refuse(arguments, CODE.format("'print' with this option"))


def _read(arguments: Sequence[Word], shell: str, check: CommandCheck, _: ScriptVariables) -> None:
    """Every argument is a name, except the arguments of options in shells that do not evaluate these."""
    takes = "" if shell in CALCULATING else "pdinNtu"
    argument = False
    for word in arguments:
        if argument:
            argument = False
            continue
        letters = word.lead[1:] if word.lead.startswith("-") else ""
        taking = next((at for at, letter in enumerate(letters) if letter in takes), None)
        if taking is None or "a" in letters[:taking]:
            check.refuse([word], NAME.format("'read'"))
        else:
            argument = word.fixed and taking == len(letters) - 1


def _set(arguments: Sequence[Word], _: str, check: CommandCheck, __: ScriptVariables) -> None:
    if any(word.lead[:2] in ("-A", "+A") for word in arguments):
        check.refuse(arguments, NAME.format("'set -A'"))
    _unknown_options("set", arguments, check)


def _wait(arguments: Sequence[Word], _: str, check: CommandCheck, __: ScriptVariables) -> None:
    if any(word.lead.startswith("-") and "p" in word.lead for word in arguments):
        check.refuse(arguments, NAME.format("'wait -p'"))
    _unknown_options("wait", arguments, check)


_HANDLERS: Final = {
    "test": _test, "[": _test, "printf": _printf, "print": _print, "read": _read, "set": _set, "wait": _wait,
}  # fmt: skip


def _zsh_options(head: str, arguments: Sequence[Word], check: CommandCheck) -> None:
    """Options may change what a quote or a comment is, from the next line."""
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
            check.changes_parsing = (
                f"'{head} {shortened(option)}' may change how the rest of the script is read"
            )
