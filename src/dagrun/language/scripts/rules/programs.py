"""Well-known programs that execute code, and which of their arguments are code. A short table, for the common mistake."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from pathlib import PurePath
from typing import Final

from dagrun.language.scripts.parts import Word
from dagrun.language.scripts.rules.assignments import ASSIGNMENT, EVALUATES, is_evaluated
from dagrun.language.scripts.rules.command_check import CODE, COMMAND, CommandCheck
from dagrun.value import Value

MAX_PROGRAMS: Final = 4


class Program(Value, kw_only=True):
    """How a program receives code. Letters are short options, which may be combined (`-ec`)."""

    #: Options whose argument is code.
    code: str = ""
    long_code: frozenset[str] = frozenset()
    #: Options that take the next word as their argument.
    takes: str = ""
    long_takes: frozenset[str] = frozenset()
    #: The index of the operand that is code, unless an option gave it, and whether all after it are code too.
    text: int | None = None
    texts: bool = False
    #: Options may follow operands.
    permutes: bool = False
    #: It executes its standard input if no operand or option names other code.
    stdin: bool = False


_COMMAND: Final = frozenset({"--command"})
_EVAL: Final = frozenset({"--eval", "--print", "--execute", "--expression", "--source"})
_SHELL: Final = Program(code="c", takes="oO", long_takes=frozenset({"--rcfile", "--init-file"}), stdin=True)
_BY_NAMES: Final = {
    "sh bash dash ash ksh mksh zsh fish": _SHELL,
    "python pypy": Program(code="c", takes="WX", stdin=True),
    "perl": Program(code="eE", takes="I", stdin=True),
    "ruby": Program(code="e", takes="rI", stdin=True),
    "node nodejs bun": Program(code="ep", long_code=_EVAL, takes="r", stdin=True),
    "php": Program(code="rBRE", takes="dcz", stdin=True),
    "lua": Program(code="e", takes="l", stdin=True),
    "Rscript R julia": Program(code="eE", long_code=_EVAL, stdin=True),
    "awk gawk mawk nawk": Program(code="e", long_code=_EVAL, takes="vFf", text=0),
    "sed gsed": Program(code="e", long_code=_EVAL, takes="lf", text=0),
    "ssh": Program(takes="BbcDEeFIiJLlmoOpQRSWw", text=1, texts=True),
    "su runuser flock": Program(code="c", long_code=_COMMAND, permutes=True),
    "psql": Program(code="c", long_code=_COMMAND, takes="hpUdvfo", permutes=True, stdin=True),
    "mysql mariadb": Program(code="e", long_code=_EVAL, takes="hPuDS", permutes=True, stdin=True),
    "sqlite": Program(text=1),
}  # fmt: skip
PROGRAMS: Final = {name: program for several, program in _BY_NAMES.items() for name in several.split()}

#: Programs that run another one: their options that take an argument, and the number of operands before the command.
_RUNNERS: Final = {
    "env": ("uC", 0), "sudo": ("ugpChrtRTUD", 0), "doas": ("uC", 0), "nohup": ("", 0), "setsid": ("", 0),
    "nice": ("n", 0), "ionice": ("cnp", 0), "timeout": ("ks", 1), "stdbuf": ("ioe", 0), "time": ("fo", 0),
    "xargs": ("IiLnPsdaE", 0), "chroot": ("", 1), "busybox": ("", 0),
}  # fmt: skip
_FIND_RUNS: Final = frozenset({"-exec", "-execdir", "-ok", "-okdir"})
#: The options with which xargs inserts what it reads into the arguments, and so into the program text.
_REPLACES: Final = re.compile(r"-[0rtpx]*[Ii]|--replace")


def check_program(words: Sequence[Word], first: int, check: CommandCheck) -> None:
    """Check the command itself, the command that it runs, and `sh -c` and similar programs anywhere in its arguments."""
    start = _after_runners(words, first, check)
    name, program = _program(words[start]) if start < len(words) else ("", None)
    if program is not None:
        arguments = _Arguments(name, program, check)
        arguments.read(words, start + 1)
        runners = words[first:start]
        if arguments.has_code and any(_name(word) == "xargs" for word in runners):
            check.executes_input |= any(_REPLACES.match(word.lead) for word in runners)
    elif name == "find":
        for before, word in zip(words[start:], words[start + 1 :], strict=False):
            if before.value in _FIND_RUNS:
                check.refuse([word], COMMAND)
    check.prints_arguments = name in ("echo", "printf")
    # The text after `sh -c` is code whatever program runs it: `docker exec c sh -c ..`.
    if not any(word.placeholders for word in words):
        return
    others = (at for at in range(len(words) - 1) if at != start and _gives_code(words[at], words[at + 1]))
    for at in islice(others, MAX_PROGRAMS):
        name, program = _program(words[at])
        if program is not None:
            _Arguments(name, program, check).read(words, at + 1)


def _after_runners(words: Sequence[Word], start: int, check: CommandCheck) -> int:
    """The index of the command that `sudo`, `env` and similar programs run."""
    while start < len(words) and (runner := _RUNNERS.get(_name(words[start]))):
        name, (takes, skips) = _name(words[start]), runner
        start += 1
        while start < len(words):
            word = words[start]
            if word.lead[:1] == "-" and len(word.lead) > 1:
                if name == "env" and (word.lead.startswith(("-S", "--split-string"))):
                    check.refuse(words[start : start + 2], CODE.format("'env -S'"))
                start += 2 if word.lead[-1] in takes and word.lead[1] != "-" and word.fixed else 1
            elif assigned := ASSIGNMENT.match(word.lead):
                if is_evaluated(assigned[1]):
                    check.refuse([word], EVALUATES.format(assigned[1]))
                start += 1
            elif skips or word.may_expand_to_nothing:
                skips -= 0 if word.may_expand_to_nothing else 1
                start += 1
            else:
                break
        check.refuse(words[start : start + 1], COMMAND)
    return start


def _program(word: Word) -> tuple[str, Program | None]:
    name = _name(word)
    return name, PROGRAMS.get(name)


def _name(word: Word) -> str:
    """The name of the program that a word may be. The end of the word is enough: `$VENV/bin/python3.12`."""
    if word.raw.strip('"') in ("$SHELL", "${SHELL}"):
        return "sh"
    known = word.known
    name = PurePath(known[-200:]).name
    return name if name in PROGRAMS else re.sub(r"[\d.]+\Z", "", name)


def _gives_code(word: Word, option: Word) -> bool:
    """Whether a word names a program, and the next word is an option that gives it code."""
    lead = option.lead
    if lead[:1] != "-" or lead == "-":
        return False
    program = _program(word)[1]
    return program is not None and (
        lead.partition("=")[0] in program.long_code
        or (lead[1] != "-" and bool(set(lead[1:]) & set(program.code)))
    )


class _Arguments:
    """The arguments of a program, read in order."""

    def __init__(self, name: str, program: Program, check: CommandCheck) -> None:
        self.program = program
        self._check = check
        self._code = CODE.format(f"'{name}'")
        self.has_code = False
        self._operands = 0

    def read(self, words: Sequence[Word], start: int) -> None:
        """Refuse what may be code."""
        own = self.program
        code = argument = only_operands = False
        reads_input = False
        for word in islice(words, start, None):
            if code:
                self._check.refuse([word], self._code)
                # Options may come between: `bash -c -eu ".."`.
                code = word.lead[:1] in ("-", "+") and not own.permutes
                continue
            if argument:
                argument = False
            elif word.value == "--" and not only_operands:
                only_operands = True
            elif not only_operands and word.lead[:1] in ("-", "+") and len(word.lead) > 1:
                code, argument = self._option_of(word)
                reads_input |= own is _SHELL and "s" in word.lead and word.lead[1] != "-"
            else:
                reads_input |= word.value in ("-", "/dev/stdin")
                only_operands |= not own.permutes and own.text is None
                self._operand(word)
        has_text = self.has_code or (self._operands and not own.permutes)
        self._check.executes_input |= own.stdin and (reads_input or not has_text)

    def _operand(self, word: Word) -> None:
        own = self.program
        at, self._operands = self._operands, self._operands + 1
        text = None if self.has_code else own.text
        is_text = text is not None and (at == text or (own.texts and at > text))
        if is_text:
            self._check.refuse([word], self._code)

    def _option_of(self, option: Word) -> tuple[bool, bool]:
        """Whether the word after an option is code, and whether it is another argument of the option."""
        own = self.program
        if option.lead.startswith("--"):
            name, equals, _ = option.lead.partition("=")
            code = name in own.long_code
            if code and (equals or not option.fixed):
                self._check.refuse([option], self._code)
            self.has_code |= code
            return code and not equals, name in own.long_takes and not equals
        letters = re.split(f"(?<=[{own.takes or '-'}])", option.lead[1:], maxsplit=1)[0]
        code = bool(set(letters) & set(own.code))
        if code:
            self._check.refuse([option], self._code)
        self.has_code |= code or (own.text == 0 and "f" in letters)
        takes = letters[-1] in own.takes and option.fixed and len(letters) == len(option.lead) - 1
        return code, takes and not code
