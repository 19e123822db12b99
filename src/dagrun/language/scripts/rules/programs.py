"""Well-known programs that run code, and where they are given it. A short table, for the common mistake."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePath
from typing import Final

from dagrun.language.scripts.parts import Word
from dagrun.language.scripts.rules.assignments import ASSIGNMENT, why_not_inherited
from dagrun.language.scripts.rules.verdict import CODE, COMMAND, OPTION, Verdict

MOST_PROGRAMS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """How a program is given code. Letters are of short options, which may stand in clusters (`-ec`)."""

    #: Options whose argument is code.
    code: str = ""
    long_code: frozenset[str] = frozenset()
    #: Options that take the next word as their argument.
    takes: str = ""
    long_takes: frozenset[str] = frozenset()
    #: The first operand that is code, unless an option gave it, and whether all after it are, too.
    text: int | None = None
    texts: bool = False
    #: Options may follow operands.
    permutes: bool = False
    #: It runs its standard input, if no operand or option says what else.
    stdin: bool = False
    #: A value that begins with `-` could be such an option, code attached.
    options: bool = False


_COMMAND: Final = frozenset({"--command"})
_EVAL: Final = frozenset({"--eval", "--print", "--execute", "--expression", "--source"})
_SHELL: Final = Program(
    code="c", takes="oO", long_takes=frozenset({"--rcfile", "--init-file"}), stdin=True, options=True
)
_BY_NAMES: Final = {
    "sh bash dash ash ksh mksh zsh fish": _SHELL,
    "python pypy": Program(code="c", takes="WX", stdin=True, options=True),
    "perl": Program(code="eE", takes="I", stdin=True, options=True),
    "ruby": Program(code="e", takes="rI", stdin=True, options=True),
    "node nodejs bun": Program(code="ep", long_code=_EVAL, takes="r", stdin=True, options=True),
    "php": Program(code="rBRE", takes="dcz", stdin=True, options=True),
    "lua": Program(code="e", takes="l", stdin=True, options=True),
    "Rscript R julia": Program(code="eE", long_code=_EVAL, stdin=True, options=True),
    "awk gawk mawk nawk": Program(code="e", long_code=_EVAL, takes="vFf", text=0),
    "sed gsed": Program(code="e", long_code=_EVAL, takes="lf", text=0),
    "ssh": Program(takes="BbcDEeFIiJLlmoOpQRSWw", text=1, texts=True, options=True),
    "su runuser flock script": Program(code="c", long_code=_COMMAND, permutes=True),
    "psql": Program(code="c", long_code=_COMMAND, takes="hpUdvfo", permutes=True, stdin=True),
    "mysql mariadb": Program(code="e", long_code=_EVAL, takes="hPuDS", permutes=True, stdin=True),
    "sqlite": Program(text=1),
    "watch": Program(takes="n", text=0, texts=True),
    "parallel": Program(takes="jNnaI", text=0, texts=True),
}  # fmt: skip
PROGRAMS: Final = {name: program for several, program in _BY_NAMES.items() for name in several.split()}

#: Programs whose first operand is a command: options that take an argument, operands before the command.
_RUNNERS: Final = {
    "env": ("uC", 0), "sudo": ("ugpChrtRTUD", 0), "doas": ("uC", 0), "nohup": ("", 0), "setsid": ("", 0),
    "nice": ("n", 0), "ionice": ("cnp", 0), "timeout": ("ks", 1), "stdbuf": ("ioe", 0), "time": ("fo", 0),
    "xargs": ("IiLnPsdaE", 0), "chroot": ("", 1), "busybox": ("", 0),
}  # fmt: skip
_FIND_RUNS: Final = frozenset({"-exec", "-execdir", "-ok", "-okdir"})
_PROCESS: Final = re.compile(r"[<>]\(")


def judge_program(words: Sequence[Word], first: int, verdict: Verdict) -> None:
    """The command itself, what it runs in its turn, and `sh -c` and its like anywhere among its arguments."""
    start = _behind_runners(words, first, verdict)
    name, program = _program(words[start]) if start < len(words) else ("", None)
    if program is not None:
        asked = _Arguments(name, program, verdict)
        asked.read(words, start + 1)
        verdict.runs_input |= asked.has_code and any(_name(word) == "xargs" for word in words[first:start])
    elif name == "find":
        for before, word in zip(words[start:], words[start + 1 :], strict=False):
            if before.value in _FIND_RUNS:
                verdict.refuse([word], COMMAND)
    verdict.hands_on = name in ("echo", "printf")
    # Whatever runs it, `docker exec c sh -c ..`, what it runs is code.
    if not any(word.holes for word in words):
        return
    others = (at for at in range(len(words) - 1) if at != start and _gives_code(words[at], words[at + 1]))
    for at in islice(others, MOST_PROGRAMS):
        name, program = _program(words[at])
        if program is not None:
            _Arguments(name, program, verdict).read(words, at + 1)


def _behind_runners(words: Sequence[Word], start: int, verdict: Verdict) -> int:
    """Where the command is that `sudo`, `env` and their like run."""
    while start < len(words) and (runner := _RUNNERS.get(_name(words[start]))):
        name, (takes, skips) = _name(words[start]), runner
        start += 1
        while start < len(words):
            word = words[start]
            if word.lead[:1] == "-" and len(word.lead) > 1:
                if name == "env" and (word.lead.startswith(("-S", "--split-string"))):
                    verdict.refuse(words[start : start + 2], CODE.format("'env -S'"))
                start += 2 if word.lead[-1] in takes and word.lead[1] != "-" and word.fixed else 1
            elif assigned := ASSIGNMENT.match(word.lead):
                if why := why_not_inherited(assigned[1]):
                    verdict.refuse([word], why)
                start += 1
            elif skips or word.may_vanish:
                skips -= 0 if word.may_vanish else 1
                start += 1
            else:
                break
        verdict.refuse(words[start : start + 1], COMMAND)
    return start


def _program(word: Word) -> tuple[str, Program | None]:
    name = _name(word)
    return name, PROGRAMS.get(name)


def _name(word: Word) -> str:
    """The name of the program that a word may be: `$VENV/bin/python3.12` is known by its end."""
    if word.raw.strip('"') in ("$SHELL", "${SHELL}"):
        return "sh"
    known = word.known
    name = PurePath(known[-200:]).name
    return name if name in PROGRAMS else re.sub(r"[\d.]+\Z", "", name)


def _gives_code(word: Word, option: Word) -> bool:
    """Whether a program is named here, and its next word is an option that gives it code."""
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

    def __init__(self, name: str, program: Program, verdict: Verdict) -> None:
        self.program = program
        self._verdict = verdict
        self._code = CODE.format(f"'{name}'")
        self._option = f"{OPTION.format(f'{name!r}')}; write -- before it"
        self.has_code = False
        self._operands = 0

    def read(self, words: Sequence[Word], start: int) -> None:
        """Refuses what may be code."""
        own = self.program
        code = argument = only_operands = False
        reads_input = False
        for word in islice(words, start, None):
            if code:
                self._verdict.refuse([word], self._code)
                # `bash -c -eu ".."`: options may stand between.
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
                if word.is_open and own.options and not (only_operands or self.has_code or self._operands):
                    self._verdict.refuse([word], self._option)
                reads_input |= word.value in ("-", "/dev/stdin")
                only_operands |= not own.permutes and own.text is None
                self._operand(word)
        has_text = self.has_code or (self._operands and not own.permutes)
        self._verdict.runs_input |= own.stdin and (reads_input or not has_text)

    def _operand(self, word: Word) -> None:
        own = self.program
        at, self._operands = self._operands, self._operands + 1
        text = None if self.has_code else own.text
        is_text = text is not None and (at == text or (own.texts and at > text))
        if is_text or (at == 0 and _PROCESS.match(word.raw)):
            self._verdict.refuse([word], self._code)

    def _option_of(self, option: Word) -> tuple[bool, bool]:
        """Whether code follows an option, and whether the next word is its argument."""
        own = self.program
        if option.lead.startswith("--"):
            name, equals, _ = option.lead.partition("=")
            code = name in own.long_code
            if code and (equals or not option.fixed):
                self._verdict.refuse([option], self._code)
            self.has_code |= code
            return code and not equals, name in own.long_takes and not equals
        letters = re.split(f"(?<=[{own.takes or '-'}])", option.lead[1:], maxsplit=1)[0]
        code = bool(set(letters) & set(own.code))
        if code:
            self._verdict.refuse([option], self._code)
        self.has_code |= code or (own.text == 0 and "f" in letters)
        takes = letters[-1] in own.takes and option.fixed and len(letters) == len(option.lead) - 1
        return code, takes and not code
