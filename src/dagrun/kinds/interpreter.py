"""The program that runs a script, from the task's `shell` and the `#!` line of the script."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from functools import cache

from dagrun.core.model import ScriptText
from dagrun.core.work import SCRIPT_FILE
from dagrun.value import Value

#: The shells that run a script with `-e`; `dagrun.language.scripts` reads the language of each.
SHELLS = frozenset({"sh", "bash", "dash", "ksh", "zsh"})
#: Options of these shells that take the next word as their value.
_VALUED = frozenset({"--rcfile", "--init-file", "--emulate"})
#: Programs whose `-c` or `-e` takes the text of a script that they can also read from a file.
_READ_FILES = re.compile(r"(?:python|pypy)[\d.]*|node|nodejs|perl|ruby|Rscript|fish|lua[\d.]*")
_TEXT_FLAGS = ("-c", "-e")
#: Programs that need a certain suffix of the file name.
_SUFFIXES = {
    "node": ".js",
    "nodejs": ".js",
    "bun": ".ts",
    "deno": ".ts",
    "pwsh": ".ps1",
    "powershell": ".ps1",
}


class Interpreter(Value):
    """What runs a script. One of the two command lines may be missing.

    `argv` takes the script's text as its last argument, `file_argv` has SCRIPT_FILE where the script's file is
    named. `shell` is the shell whose language the script is written in, None for anything else. `name` is for messages.
    """

    name: str
    shell: str | None
    argv: tuple[str, ...] | None
    file_argv: tuple[str, ...] | None
    #: The suffix of the file name.
    suffix: str = ""
    #: Whether the script gets the environment of the task.
    keeps_environment: bool = True

    @property
    def reader(self) -> str:
        """The language for `${{ }}` in the script: that of a shell, or another one, in which there can be none."""
        return self.shell if self.shell and self.keeps_environment else self.name


def interpreter(script: ScriptText) -> Interpreter:
    """What runs a script: the program that its `#!` line names, else its `shell`."""
    first = script.parts[0].partition("\n")[0] if script.parts else ""
    named = first[2:].strip() if first.startswith("#!") else ""
    return _named(named) if named else _asked_for(script.shell)


@cache
def _asked_for(shell: str) -> Interpreter:
    """The interpreter for the value of `shell`."""
    wrapper, words, keeps_environment = _unwrapped(_split(shell))
    program = _base_name(words[0]) if words else "env"
    options = _options(program, words[1:]) if program in SHELLS else None
    if options is None:
        return _other(program, (*wrapper, *words))
    flags, arguments = options
    start = (*wrapper, words[0], *flags, "-e")
    name = program if keeps_environment else "env -i"
    argv = None if arguments else (*start, "-c")
    file_argv = (*start, *(arguments or (SCRIPT_FILE,)))
    return Interpreter(name, program, argv, file_argv, keeps_environment=keeps_environment)


@cache
def _named(line: str) -> Interpreter:
    """The interpreter for a `#!` line, given without these two characters. Its flags are kept as they are: no `-e` is added."""
    split = _split(line)
    wrapper, words, keeps_environment = _unwrapped(split)
    program = _base_name(words[0]) if words else "env"
    options = _options(program, words[1:]) if program in SHELLS else None
    is_plain = options is not None and (*options[0], *options[1]) == tuple(words[1:])
    return Interpreter(
        name=" ".join(split) if program in SHELLS and not (is_plain and keeps_environment) else program,
        shell=program if is_plain else None, argv=None, file_argv=(*wrapper, *words, SCRIPT_FILE),
        suffix=_SUFFIXES.get(program, ""), keeps_environment=keeps_environment,
    )  # fmt: skip


def _other(program: str, words: tuple[str, ...]) -> Interpreter:
    """The interpreter for any program but a known shell that has only options."""
    name = program if program not in SHELLS else " ".join(words)
    suffix = _SUFFIXES.get(program, "")
    if any(SCRIPT_FILE in word for word in words):
        return Interpreter(name, None, None, words, suffix)
    if len(words) > 1 and words[-1] in _TEXT_FLAGS:
        file_argv = (*words[:-1], SCRIPT_FILE) if _READ_FILES.fullmatch(program) else None
        return Interpreter(name, None, words, file_argv, suffix)
    return Interpreter(name, None, None, (*words, SCRIPT_FILE), suffix)


def _unwrapped(words: Sequence[str]) -> tuple[tuple[str, ...], list[str], bool]:
    """The words of `env` before the program that it runs, the remaining words, and whether it keeps the environment."""
    wrapper: list[str] = []
    rest = list(words)
    keeps_environment = True
    while rest and _base_name(rest[0]) == "env":
        wrapper.append(rest.pop(0))
        while rest and (rest[0].startswith("-") or "=" in rest[0]):
            if split := re.fullmatch(r"(?:-([i0v]*)S|--split-string=?)(.*)", rest[0], re.DOTALL):
                flags, text = split[1], split[2] or (rest[1] if len(rest) > 1 else "")
                rest[: 1 if split[2] else 2] = ([f"-{flags}"] if flags else []) + _split(text)
                continue
            keeps_environment &= not re.fullmatch(r"-|-[0v]*i[0v]*|--ignore-environment", rest[0])
            taken = 2 if rest[0] in ("-u", "--unset", "-C", "--chdir") else 1
            wrapper += rest[:taken]
            del rest[:taken]
    return tuple(wrapper), rest, keeps_environment


def _options(shell: str, words: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """The options of a shell, and the words from SCRIPT_FILE on; None if it has other arguments.

    `-c` and `-s`, which say where the script comes from, are removed.
    """
    options: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if SCRIPT_FILE in word:
            return tuple(options), (word, *rest)
        if word in ("-", "--"):
            return (tuple(options), tuple(rest)) if not rest or SCRIPT_FILE in rest[0] else None
        if word.startswith("--"):
            options += [word, *(rest[:1] if word in _VALUED else ())]
            del rest[: word in _VALUED]
        elif word[:1] in ("-", "+"):
            letters, valued, attached = re.fullmatch(r"([^oO]*)([oO]?)(.*)", word[1:], re.DOTALL).groups()  # type: ignore[union-attr]
            if word[0] == "-":
                letters = letters.replace("c", "").replace("s", "")
            if letters or valued:
                options.append(word[0] + letters + valued + attached)
            if valued and not (attached and shell in ("ksh", "zsh")):
                options += rest[:1]
                del rest[:1]
        else:
            return None
    return tuple(options), ()


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # a quote that is not closed
        return text.split()


def _base_name(word: str) -> str:
    return word.rpartition("/")[2]
