"""Which arguments of which commands are parsed as code again, so that no value may stand in them.

The lists err on the side of refusing. They know programs by what their manuals call a program text, not what every
option of every tool can be bent to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import PurePath
from typing import Final

from dagrun.scripts.words import Word

Refusal = tuple[Word, str]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


@dataclass(slots=True)
class Verdict:
    """What is to be said about one simple command."""

    refused: list[Refusal] = field(default_factory=list)
    #: Words that assign a value; see `evaluating_assignments`.
    assigned: list[Word] = field(default_factory=list)
    #: Whether it runs what it reads from its standard input.
    runs_input: bool = False


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


_SHELL: Final = Interpreter(
    code="c", takes="oO", long_takes=frozenset({"--rcfile", "--init-file"}), ends="s", stdin=True
)
_ANY: Final = Interpreter(everything=True, stdin=True)
_STDIN: Final = Interpreter(stdin=True)
_SQL: Final = frozenset({"--command", "--execute"})
_EVAL: Final = frozenset(
    {"--eval", "--print", "--run", "--exec", "--execute", "--expression", "--source", "--call"}
)

INTERPRETERS: Final[dict[str, Interpreter]] = {
    **dict.fromkeys(
        ("sh", "bash", "dash", "ash", "ksh", "mksh", "zsh", "fish", "rbash", "csh", "tcsh"), _SHELL
    ),
    **dict.fromkeys(("python", "pypy"), Interpreter(code="c", takes="WXQ", ends="m", stdin=True)),
    "perl": Interpreter(code="eE", takes="I", stdin=True),
    "ruby": Interpreter(code="e", takes="rICE", stdin=True),
    **dict.fromkeys(
        ("node", "nodejs", "bun"), Interpreter(code="ep", takes="r", long_code=_EVAL, stdin=True)
    ),
    "php": Interpreter(code="rBREF", takes="dcz", long_code=frozenset({"--run"}), stdin=True),
    "lua": Interpreter(code="e", takes="l", stdin=True),
    **dict.fromkeys(
        ("julia", "R", "Rscript", "osascript"), Interpreter(code="eE", long_code=_EVAL, stdin=True)
    ),
    **dict.fromkeys(("tclsh", "ed", "m", "at", "batch", "crontab"), _STDIN),
    "expect": Interpreter(code="c", stdin=True),
    **dict.fromkeys(
        ("awk", "gawk", "mawk", "nawk"), Interpreter(program=True, code="e", takes="vFE", long_code=_EVAL)
    ),
    **dict.fromkeys(("sed", "gsed"), Interpreter(program=True, code="e", takes="l", long_code=_EVAL)),
    **dict.fromkeys(
        ("su", "runuser", "script", "flock"), Interpreter(code="c", long_code=_SQL, permutes=True)
    ),
    **dict.fromkeys(
        ("vi", "vim", "nvim", "ex"), Interpreter(code="c", long_code=_SQL, permutes=True, stdin=True)
    ),
    "psql": Interpreter(code="c", long_code=_SQL, takes="dhpUvfo", permutes=True, stdin=True),
    **dict.fromkeys(
        ("mysql", "mariadb"), Interpreter(code="e", long_code=_SQL, takes="hPuDS", permutes=True, stdin=True)
    ),
    "npx": Interpreter(code="c", long_code=_EVAL, takes="p"),
    **dict.fromkeys(
        _words(
            "ssh slogin rsh autossh mosh sshpass plink dbclient sqlite deno pwsh powershell cmd wsl watch parallel tmux"
            " screen gdb dc gnuplot octave"
        ),
        _ANY,
    ),
}
#: The name of the command is not known before the script runs: `$SHELL -c ..`.
_UNKNOWN: Final = Interpreter(code="ce")

#: Commands for which the name of an interpreter among the arguments is only a word.
_PLAIN_HEADS: Final = _words(
    "echo printf print : test [ true false grep egrep fgrep rg ls cp mv rm mkdir touch cat head tail wc sort uniq cut tee"
    " tr which type hash cd basename dirname apt apt-get apk dnf yum brew pip pip3 npm git"
)
#: What may stand before the name of a builtin.
_PREFIXES: Final = frozenset({"command", "builtin", "exec", "noglob", "nocorrect", "-", "time"})

_CODE_BUILTINS: Final = _words(
    "eval trap alias . source compgen complete compopt bind fc enable emulate sched zstyle autoload functions"
)
_NAME_BUILTINS: Final = _words(
    "unset read readarray mapfile getopts nameref vared zparseopts zformat zmodload setopt unsetopt shopt"
)
_DECLARATIONS: Final = _words("declare typeset local export readonly integer float")
_NUMBER_BUILTINS: Final = _words("shift exit return break continue ulimit")
_LONG_CODE: Final = frozenset({"--command", "--eval", "--exec", "--execute", "--run"})

_ASSIGNMENT: Final = re.compile(r"([A-Za-z_]\w*)(?:\[[^\]]*\])?\+?=")
_COMPARES: Final = frozenset({"-eq", "-ne", "-lt", "-le", "-gt", "-ge"})
_ASKS_NAME: Final = frozenset({"-v", "-R", "-o", "-t"})
#: Variables whose value the shell, or a well-known program, runs or calculates with.
_RUN_VARIABLES: Final = _words(
    "PS0 PS1 PS2 PS3 PS4 PROMPT PROMPT2 PROMPT3 PROMPT4 RPROMPT SPROMPT PROMPT_COMMAND BASH_ENV SHELLOPTS BASHOPTS"
    " RANDOM SRANDOM SECONDS OPTIND LINENO COLUMNS LINES HISTSIZE HISTCMD SAVEHIST TMOUT KEYTIMEOUT MAILCHECK LISTMAX"
    " FUNCNEST SHLVL UID EUID GID EGID PPID ERRNO TTYIDLE DIRSTACKSIZE BAUD LOGCHECK REPORTTIME REPORTMEMORY HISTFILESIZE"
    " EPOCHSECONDS BASHPID GIT_SSH_COMMAND GIT_SSH GIT_EDITOR GIT_SEQUENCE_EDITOR GIT_PAGER GIT_ASKPASS"
    " GIT_EXTERNAL_DIFF EDITOR VISUAL PAGER MANPAGER LESSOPEN LESSCLOSE PERL5OPT PERL5DB RUBYOPT RSYNC_RSH"
)

_CODE: Final = "{} reads it as code"
_NAME: Final = "{} takes it for the name of a variable, which may hold code"
_OPTION: Final = "{} could take the value for an option that holds code"
_CALCULATES: Final = "it is read as arithmetic, which runs what it finds in a value"


def judge(words: Sequence[Word], shell: str) -> Verdict:
    """What is refused in one simple command."""
    verdict = Verdict()
    start = 0
    while start < len(words) and (name := _ASSIGNMENT.match(_before_hole(words[start]))):
        verdict.assigned.append(words[start])
        if name[1] in _RUN_VARIABLES:
            verdict.refused.append((words[start], f"the value of {name[1]} is run or calculated with"))
        start += 1
    words = words[start:]
    if not words:
        return verdict
    if words[0].holes and re.match(r"[\w\0]*\0[\w\0]*\+?=", words[0].raw):
        verdict.refused.append((words[0], "this is the name of a variable"))
    for head, arguments in _heads(words):
        verdict.refused += _builtin(head, arguments, shell, verdict)
    verdict.refused += _interpreters(words, verdict)
    verdict.refused += _long_options(words)
    return verdict


def _before_hole(word: Word) -> str:
    # Quotes before the `=` make it an ordinary word.
    return word.raw if re.match(r"[A-Za-z_]\w*[\[+=]", word.raw) else ""


def _heads(words: Sequence[Word]) -> Iterator[tuple[str, Sequence[Word]]]:
    """What the name of the command may be, without what may stand before a builtin, and its arguments."""
    prefixed = False
    for at, word in enumerate(words):
        # A part that is not known may turn out empty: `${SUDO}eval`, `$DRY_RUN eval`.
        yield word.known, words[at + 1 :]
        if word.known in _PREFIXES:
            prefixed = True
        elif word.value is not None and not ((prefixed or at == 0) and word.known.startswith("-")):
            return


def _with_holes(words: Sequence[Word], why: str) -> Iterator[Refusal]:
    return ((word, why) for word in words if word.holes)


def _builtin(head: str, arguments: Sequence[Word], shell: str, verdict: Verdict) -> Iterator[Refusal]:
    if head in _CODE_BUILTINS:
        yield from _with_holes(arguments, _CODE.format(f"'{head}'"))
    elif head == "let":
        yield from _with_holes(arguments, _CALCULATES)
    elif head in _NAME_BUILTINS or (head == "set" and any(word.lead in ("-A", "+A") for word in arguments)):
        yield from _with_holes(arguments, _NAME.format(f"'{head}'"))
    elif head in _DECLARATIONS:
        yield from _declaration(head, arguments, verdict)
    elif head in ("test", "["):
        yield from _test(arguments, shell)
    elif head == "printf":
        yield from _printf(arguments, shell)
    elif head == "print" and shell in ("ksh", "zsh"):
        yield from _print(arguments)
    elif head == "wait" and any(word.lead.startswith("-") and "p" in word.lead for word in arguments):
        yield from _with_holes(arguments, _NAME.format("'wait -p'"))
    elif head in _NUMBER_BUILTINS and shell in ("ksh", "zsh"):
        yield from _with_holes(arguments, _CALCULATES)
    elif head == "env":
        yield from _env(arguments)


def _declaration(head: str, arguments: Sequence[Word], verdict: Verdict) -> Iterator[Refusal]:
    types = head in ("integer", "float") or any(
        word.lead[:1] in ("-", "+") and set(word.lead[1:]) - set("xrgp-") for word in arguments
    )
    for word in arguments:
        name = _ASSIGNMENT.match(word.lead)
        if not word.holes:
            continue
        if name is None:
            yield word, _NAME.format(f"'{head}'")
        elif types:
            yield word, f"'{head}' with a type evaluates the value"
        elif name[1] in _RUN_VARIABLES:
            yield word, f"the value of {name[1]} is run or calculated with"
        else:
            verdict.assigned.append(word)


def _test(arguments: Sequence[Word], shell: str) -> Iterator[Refusal]:
    for before, word in zip([None, *arguments], arguments, strict=False):
        if before and word.holes and (before.lead in ("-v", "-R") or before.is_open):
            yield word, _NAME.format("'test'")
    if shell in ("ksh", "zsh"):
        yield from _compared(arguments)


def _compared(words: Sequence[Word]) -> Iterator[Refusal]:
    for index, word in enumerate(words):
        beside = [*words[max(0, index - 1) : index], *words[index + 1 : index + 2]]
        if word.holes and any(other.value in _COMPARES for other in beside):
            yield word, _CALCULATES


def conditional_refusals(words: Sequence[Word]) -> Iterator[Refusal]:
    """What is refused inside `[[ ]]`; quoted values are harmless there but as numbers and names."""
    yield from _compared(words)
    for before, word in pairwise(words):
        if word.holes and before.value in _ASKS_NAME:
            yield word, _NAME.format("'[['")


def _printf(arguments: Sequence[Word], shell: str) -> Iterator[Refusal]:
    rest = list(arguments)
    if rest and rest[0].lead.startswith("-v"):
        yield from _with_holes(rest, _NAME.format("'printf -v'"))
    if rest and rest[0].value == "--":
        rest = rest[1:]
    if not rest:
        return
    values = [word for word in rest[1:] if word.holes]
    if rest[0].holes and (values or shell in ("ksh", "zsh")):
        yield rest[0], "a value in the format could take another for a name; write printf '%s'"
    elif shell in ("ksh", "zsh"):
        format_text = rest[0].value
        if format_text is None or re.search(r"%(?![sbq%])", format_text):
            yield from _with_holes(values, _CALCULATES)


def _print(arguments: Sequence[Word]) -> Iterator[Refusal]:
    options = [word for word in arguments if word.lead.startswith("-")]
    if any(set(word.lead) & set("PvfzsSCp") for word in options):
        yield from _with_holes(arguments, _CODE.format("'print' with this option"))
    elif arguments[:1] and arguments[0].is_open and any(word.holes for word in arguments[1:]):
        yield arguments[0], _OPTION.format("'print'")


def _env(arguments: Sequence[Word]) -> Iterator[Refusal]:
    for word in arguments:
        if word.is_open or (word.holes and word.lead.startswith(("-S", "--split-string"))):
            yield word, _OPTION.format("'env'")
        elif word.value in ("-S", "--split-string"):
            yield from _with_holes(arguments, _CODE.format("'env -S'"))
            return
        elif not word.lead.startswith("-") and not _ASSIGNMENT.match(word.lead):
            return


# --- programs that run code ---


def _interpreters(words: Sequence[Word], verdict: Verdict) -> Iterator[Refusal]:
    """Any word that is an interpreter's name may be run as one: by sudo, timeout, xargs, find, docker, .."""
    head = words[0].value
    if head in _PLAIN_HEADS:
        return
    for index, word in enumerate(words):
        name = _program(word)
        interpreter = INTERPRETERS.get(name)
        if interpreter is None and word.value is None and index == 0 and not word.holes:
            interpreter, name = _UNKNOWN, "the command"
        if interpreter:
            asked = _Arguments(name, interpreter)
            yield from asked.read(words[index + 1 :])
            verdict.runs_input |= asked.runs_input
            if head in ("xargs", "parallel") and (asked.found_code or interpreter.everything):
                verdict.runs_input = True


def _program(word: Word) -> str:
    if word.raw.strip('"') in ("$SHELL", "${SHELL}"):
        return "sh"
    return _program_name(word.known)


def _program_name(text: str) -> str:
    # `$VENV/bin/python` is known by its end.
    name = PurePath(text).name
    return name if name in INTERPRETERS else re.sub(r"[\d.]+\Z", "", name)


class _Arguments:
    """The arguments of an interpreter, read in order."""

    def __init__(self, name: str, interpreter: Interpreter) -> None:
        self.name = f"'{name}'"
        self.interpreter = interpreter
        self.found_code = False
        self.has_program = False
        self.reads_input = False

    @property
    def runs_input(self) -> bool:
        """Whether nothing said where its program is, or something said that it comes in."""
        known = self.found_code or self.has_program
        return self.interpreter.stdin and (self.interpreter.everything or self.reads_input or not known)

    def read(self, words: Sequence[Word]) -> Iterator[Refusal]:
        """What is refused in them."""
        if self.interpreter.everything:
            yield from _with_holes(words, _CODE.format(self.name))
            return
        code_next = argument_next = False
        for index, word in enumerate(words):
            if code_next and word.holes:
                yield word, _CODE.format(self.name)
            if code_next and any(
                _program_name(part) in INTERPRETERS for part in re.findall(r"[^\s;&|()]+", word.known)
            ):
                # `sh -c 'exec sh' <<EOF`
                self.reads_input = True
            skip, code_next = argument_next, False
            argument_next = False
            if skip:
                continue
            if word.value == "--":
                yield from self._operands(words[index + 1 :])
                return
            if word.lead[:1] in ("-", "+") and len(word.lead) > 1:
                code_next, argument_next = self._option(word)
                if code_next and word.holes:
                    yield word, _CODE.format(self.name)
                if self.has_program and not self.interpreter.permutes:
                    return
            elif word.is_open and not (self.found_code and not self.interpreter.permutes):
                yield word, _OPTION.format(self.name)
            elif not self.interpreter.permutes and not (
                self.found_code and words[index - 1].lead[:1] in ("-", "+")
            ):
                yield from self._operands(words[index:])
                return

    def _operands(self, words: Sequence[Word]) -> Iterator[Refusal]:
        if not words:
            return
        first = words[0]
        self.reads_input = self.reads_input or first.value in ("-", "/dev/stdin")
        is_code = (self.interpreter.program and not self.found_code) or re.match(r"[<>]\(", first.raw)
        if first.holes and is_code:
            yield first, _CODE.format(self.name)
        self.has_program = True

    def _option(self, word: Word) -> tuple[bool, bool]:
        """Whether code follows it or is attached, and whether the next word is its argument."""
        own = self.interpreter
        if word.lead.startswith("--"):
            name, _, _ = word.lead.partition("=")
            code = name in own.long_code
            self.found_code |= code
            return code, name in own.long_takes and "=" not in word.lead
        letters = word.lead[1:]
        code = bool(set(letters) & set(own.code))
        self.found_code |= code
        if own.program and "f" in letters:
            self.found_code = True
        if set(letters) & set(own.ends):
            self.has_program = True
            self.reads_input = self.reads_input or "s" in own.ends
        takes = [letter for letter in letters if letter in own.takes or (own.program and letter == "f")]
        return code, bool(takes) and not code and letters.endswith(takes[0]) and word.fixed


def _long_options(words: Sequence[Word]) -> Iterator[Refusal]:
    for before, word in zip([None, *words], words, strict=False):
        name = word.lead.partition("=")[0]
        if word.holes and (name in _LONG_CODE or (before and before.value in _LONG_CODE)):
            yield word, _CODE.format(f"'{name if name in _LONG_CODE else before.value if before else ''}'")


# --- assignments ---

_TYPED: Final = re.compile(
    r"\b(?:declare|typeset|local|export|readonly)\b[^\n;&|]*?\s[-+][A-Za-z]*[^\W\dxrgp_]|\b(?:integer|float|nameref)\s"
)
_ARRAYS: Final = re.compile(r"\w\+?=\(|\b(?:mapfile|readarray)\b|\bread\b[^\n;]*\s-\w*a|\bset\s+[-+]A\b")
_CALCULATED: Final = re.compile(r"\(\([^)]*(?:[^=!<>]=(?!=)|\+\+|--|[-+*/%&|^]=|<<=|>>=)|\blet\b|\$\[[^\]]*=")


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
