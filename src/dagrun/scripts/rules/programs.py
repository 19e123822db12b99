"""Programs that run code: how each is given it, and which arguments of a command may be such code."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePath
from typing import Final

from dagrun.scripts.parts import Word
from dagrun.scripts.rules.verdict import CODE, OPTION, Verdict, names


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """How a program takes code. Letters are of short options, which may stand in clusters (`-ec`)."""

    code: str = ""
    #: Options that take the next word as their argument.
    takes: str = ""
    long_code: frozenset[str] = frozenset()
    long_takes: frozenset[str] = frozenset()
    #: Options after which the rest is no longer the program's own.
    ends: str = ""
    #: Without a code option its first operand is the program text (awk, sed).
    program: bool = False
    #: Without a program it runs its standard input.
    stdin: bool = False
    #: Options may follow operands.
    permutes: bool = False
    #: Any argument may be code.
    everything: bool = False


_SQL: Final = frozenset({"--command", "--execute"})
_EVAL: Final = frozenset(
    {"--eval", "--print", "--run", "--exec", "--execute", "--expression", "--source", "--call"}
)
_BY_NAMES: Final = {
    "sh bash dash ash ksh mksh zsh fish rbash csh tcsh": Interpreter(
        code="c", takes="oO", long_takes=frozenset({"--rcfile", "--init-file"}), ends="s", stdin=True
    ),
    "python pypy": Interpreter(code="c", takes="WXQ", ends="m", stdin=True),
    "perl": Interpreter(code="eE", takes="I", stdin=True),
    "ruby": Interpreter(code="e", takes="rICE", stdin=True),
    "node nodejs bun": Interpreter(code="ep", takes="r", long_code=_EVAL, stdin=True),
    "php": Interpreter(code="rBREF", takes="dcz", long_code=frozenset({"--run"}), stdin=True),
    "lua": Interpreter(code="e", takes="l", stdin=True),
    "julia R Rscript osascript": Interpreter(code="eE", long_code=_EVAL, stdin=True),
    "tclsh ed m at batch crontab": Interpreter(stdin=True),
    "expect": Interpreter(code="c", stdin=True),
    "awk gawk mawk nawk": Interpreter(program=True, code="e", takes="vfFE", long_code=_EVAL),
    "sed gsed": Interpreter(program=True, code="e", takes="fl", long_code=_EVAL),
    "su runuser script flock": Interpreter(code="c", long_code=_SQL, permutes=True),
    "vi vim nvim ex": Interpreter(code="c", long_code=_SQL, permutes=True, stdin=True),
    "psql": Interpreter(code="c", long_code=_SQL, takes="dhpUvfo", permutes=True, stdin=True),
    "mysql mariadb": Interpreter(code="e", long_code=_SQL, takes="hPuDS", permutes=True, stdin=True),
    "npx": Interpreter(code="c", long_code=_EVAL, takes="p"),
    "ssh slogin rsh autossh mosh sshpass plink dbclient sqlite deno pwsh powershell cmd wsl watch parallel tmux"
    " screen gdb dc gnuplot octave": Interpreter(everything=True, stdin=True),
}
INTERPRETERS: Final = {name: program for several, program in _BY_NAMES.items() for name in several.split()}
#: A command whose name is not known before the script runs: `$SHELL -c ..`.
_UNKNOWN: Final = Interpreter(code="ce")

#: Commands for which the name of an interpreter among the arguments is only a word.
_PLAIN_HEADS: Final = names(
    "echo printf print : test [ true false grep egrep fgrep rg ls cp mv rm mkdir touch cat head tail wc sort uniq cut tee"
    " tr which type hash cd basename dirname apt apt-get apk dnf yum brew pip pip3 npm git"
)
_LONG_CODE: Final = frozenset({"--command", "--eval", "--exec", "--execute", "--run"})
_SHELL_VARIABLES: Final = frozenset({"$SHELL", "${SHELL}"})
_INNER_WORD: Final = re.compile(r"[^\s;&|()]+")
_PROCESS: Final = re.compile(r"[<>]\(")


def judge_programs(words: Sequence[Word], verdict: Verdict) -> None:
    """Any word that is an interpreter's name may be run as one: by sudo, timeout, xargs, find, docker, .."""
    if words[0].value not in _PLAIN_HEADS:
        for index, word in enumerate(words):
            name, interpreter = _program(word, first=index == 0)
            if interpreter:
                asked = _Arguments(name, interpreter, verdict)
                asked.read(words[index + 1 :])
                hands_on = words[0].value in ("xargs", "parallel") and (
                    asked.found_code or interpreter.everything
                )
                verdict.runs_input |= asked.runs_input or hands_on
    _long_options(words, verdict)


def _program(word: Word, *, first: bool) -> tuple[str, Interpreter | None]:
    """The name of the interpreter that a word may be, and how it takes code."""
    name = "sh" if word.raw.strip('"') in _SHELL_VARIABLES else _program_name(word.known)
    if name not in INTERPRETERS and first and word.value is None and not word.holes:
        return "the command", _UNKNOWN
    return name, INTERPRETERS.get(name)


def _program_name(path: str) -> str:
    # `$VENV/bin/python3.12` is known by its end.
    name = PurePath(path).name
    return name if name in INTERPRETERS else re.sub(r"[\d.]+\Z", "", name)


def _long_options(words: Sequence[Word], verdict: Verdict) -> None:
    for before, word in pairwise([Word(0), *words]):
        for option in (word.lead.partition("=")[0], before.value):
            if option in _LONG_CODE:
                verdict.refuse([word], CODE.format(f"'{option}'"))


class _Arguments:
    """The arguments of an interpreter, read in order."""

    def __init__(self, name: str, interpreter: Interpreter, verdict: Verdict) -> None:
        self.interpreter = interpreter
        self.found_code = False
        self._verdict = verdict
        self._code = CODE.format(f"'{name}'")
        self._option = OPTION.format(f"'{name}'")
        self._has_program = False
        self._reads_input = False

    @property
    def runs_input(self) -> bool:
        """Whether nothing said where its program is, or something said that it comes in."""
        known = self.found_code or self._has_program
        return self.interpreter.stdin and (self.interpreter.everything or self._reads_input or not known)

    def read(self, words: Sequence[Word]) -> None:
        """Refuses what may be code."""
        own = self.interpreter
        if own.everything:
            return self._verdict.refuse(words, self._code)
        # What the word before said of this one.
        code = argument = False
        for index, word in enumerate(words):
            if code:
                self._text(word)
            code, argument, skipped = False, False, argument
            if skipped:
                continue
            if word.value == "--":
                return self._operands(words[index + 1 :])
            if word.lead[:1] in ("-", "+") and len(word.lead) > 1:
                code, argument = self._told_by(word)
                if code:
                    self._verdict.refuse([word], self._code)
                if self._has_program and not own.permutes:
                    return None
            elif word.is_open and (own.permutes or not self.found_code):
                self._verdict.refuse([word], self._option)
            elif not own.permutes and not (self.found_code and words[index - 1].lead[:1] in ("-", "+")):
                return self._operands(words[index:])
        return None

    def _text(self, word: Word) -> None:
        """A program text."""
        self._verdict.refuse([word], self._code)
        # `sh -c 'exec sh' <<EOF`
        self._reads_input |= any(
            _program_name(part) in INTERPRETERS for part in _INNER_WORD.findall(word.known)
        )

    def _operands(self, words: Sequence[Word]) -> None:
        """What stands after the options."""
        if not words:
            return
        first = words[0]
        self._has_program = True
        self._reads_input |= first.value in ("-", "/dev/stdin")
        if (self.interpreter.program and not self.found_code) or _PROCESS.match(first.raw):
            self._verdict.refuse([first], self._code)

    def _told_by(self, option: Word) -> tuple[bool, bool]:
        """Whether code follows an option or is attached, and whether the next word is its argument."""
        own = self.interpreter
        if option.lead.startswith("--"):
            name, equals, _ = option.lead.partition("=")
            code = name in own.long_code
            self.found_code |= code
            return code, name in own.long_takes and not equals
        letters = option.lead[1:]
        code = bool(set(letters) & set(own.code))
        self.found_code |= code or (own.program and "f" in letters)
        if set(letters) & set(own.ends):
            self._has_program = True
            self._reads_input |= "s" in own.ends
        takes = [letter for letter in letters if letter in own.takes]
        return code, bool(takes) and not code and letters.endswith(takes[0]) and option.fixed
