"""Completion in shells: the scripts, and the answers to what the scripts ask when a user presses TAB.

A script sets variables and runs `dagrun` without arguments. `completion_candidates` has the values of arguments.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

from dagrun.cli import output
from dagrun.cli.options import Form, Output

# The variables have the names that Typer gives them: so scripts that were installed earlier work.
VARIABLE = "_DAGRUN_COMPLETE"

_SCRIPTS = {
    "bash": r"""
_dagrun_completion() {
    local IFS=$'\n'
    COMPREPLY=( $( env COMP_WORDS="${COMP_WORDS[*]}" \
                   COMP_CWORD=$COMP_CWORD \
                   _DAGRUN_COMPLETE=complete_bash $1 ) )
    return 0
}

complete -o default -F _dagrun_completion dagrun
""",
    "zsh": """
#compdef dagrun

_dagrun_completion() {
  eval $(env _TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" _DAGRUN_COMPLETE=complete_zsh dagrun)
}

compdef _dagrun_completion dagrun
""",
    "fish": (
        'complete --command dagrun --no-files --arguments "(env _DAGRUN_COMPLETE=complete_fish'
        ' _TYPER_COMPLETE_FISH_ACTION=get-args _TYPER_COMPLETE_ARGS=(commandline -cp) dagrun)"'
        ' --condition "env _DAGRUN_COMPLETE=complete_fish'
        ' _TYPER_COMPLETE_FISH_ACTION=is-args _TYPER_COMPLETE_ARGS=(commandline -cp) dagrun"'
    ),
}

#: A value to offer, and its description.
Candidate = tuple[str, str]
Candidates = Callable[[list[str], str], list[Candidate]]


class Shell(StrEnum):
    """The shells with a script."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(
    shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="One of bash, zsh, fish.")],
    form: Output = Form.TEXT,
) -> int:
    """Print the completion script for a shell.

    How to use it:
      bash   add to ~/.bashrc:                  eval "$(dagrun completion bash)"
      zsh    add to ~/.zshrc, after compinit:   eval "$(dagrun completion zsh)"
      fish   write it to ~/.config/fish/completions/dagrun.fish

    Exit codes:
      0  the script was printed
      2  there is no script for this shell
    """
    script = _SCRIPTS[shell].strip()
    if form is Form.JSON:
        output.print_json({"shell": shell.value, "script": script})
    else:
        print(script)
    return 0


def is_requested() -> bool:
    """Whether a completion script started this process."""
    return VARIABLE in os.environ


def answer(app_for: Callable[[Sequence[str]], typer.Typer]) -> int:
    """Answer a completion script; the exit code. `app_for` makes the app for a command line."""

    def candidates(words: list[str], incomplete: str) -> list[Candidate]:
        return _candidates(app_for, words, incomplete)

    answers = {"complete_bash": _answer_bash, "complete_zsh": _answer_zsh, "complete_fish": _answer_fish}
    shell = answers.get(os.environ[VARIABLE])
    return 1 if shell is None else shell(candidates)


def _candidates(
    app_for: Callable[[Sequence[str]], typer.Typer], words: list[str], incomplete: str
) -> list[Candidate]:
    """What may replace the incomplete word after these words."""
    while words and words[0].startswith("-"):
        words = words[2 if words[0] == "-C" else 1 :]
    group: Any = typer.main.get_command(app_for(words[:1]))
    if not words:
        return _items(
            group.shell_complete(group.make_context("dagrun", [], resilient_parsing=True), incomplete)
        )
    command, words = group.commands.get(words[0]), words[1:]
    if command is None:
        return []
    context = command.make_context("dagrun", list(words), resilient_parsing=True)
    flag, equals, value = incomplete.partition("=")
    if incomplete == "=":
        incomplete = ""
    elif equals and flag.startswith("-"):
        words, incomplete = [*words, flag], value
    if incomplete.startswith("-") and "--" not in words:
        return _items(command.shell_complete(context, incomplete))
    param = _incomplete_param(command, context, words)
    return [] if param is None else _items(param.shell_complete(context, incomplete))


def _incomplete_param(command: Any, context: Any, words: Sequence[str]) -> Any:
    """The option that needs a value now, else the first argument that can still take one."""
    params = command.get_params(context)
    last = words[-1] if words else ""
    for param in params:
        if param.param_type_name == "option" and not param.is_flag and last in param.opts:
            return param
    for param in params:
        if param.param_type_name == "argument":
            source = context.get_parameter_source(param.name)
            if param.nargs == -1 or source is None or source.name != "COMMANDLINE":
                return param
    return None


def _items(found: Sequence[Any]) -> list[Candidate]:
    return [(str(item.value), item.help or "") for item in found]


def _answer_bash(candidates: Candidates) -> int:
    """Print one candidate per line.

    Bash also splits words at '=', and replaces only what follows the last '='. It interprets what it is offered as text
    of its language, unless a quote is open.
    """
    text = os.environ["COMP_WORDS"]
    is_quoted = text.rpartition("\n")[2][:1] in ("'", '"')
    cursor = int(os.environ["COMP_CWORD"])
    words: list[str] = []
    is_joined = False
    for word in [*_split(text)[1:], ""][:cursor]:
        if words and (is_joined or word == "="):
            words[-1] += word
        else:
            words.append(word)
        is_joined = word == "="
    *words, incomplete = words
    before = ""
    if not is_quoted:
        head, equals, _ = re.sub(r"^--[\w-]+=", "", incomplete).rpartition("=")
        before = head + equals

    def quoted(value: str) -> str:
        if not value.endswith("]"):  # only the brackets of variants are special in a shell
            return value
        if is_quoted:
            return value.replace("'", "'\\''")
        if before and value.startswith(before):
            return re.sub(r"([^\w@%+:,./=-])", r"\\\1", value[len(before) :])
        return shlex.quote(value)

    print("\n".join(quoted(value) for value, _ in candidates(words, incomplete)))
    return 0


def _answer_zsh(candidates: Candidates) -> int:
    """Print a shell command that offers the candidates."""

    def escaped(text: str) -> str:
        text = text.replace('"', '""').replace("'", "''").replace("$", "\\$").replace("`", "\\`")
        return '"' + text.replace(":", r"\\:") + '"'

    found = _whole_words(candidates)
    offered = [escaped(value) + (f":{escaped(help)}" if help else "") for value, help in found]
    listed = "\n".join(offered)
    print(f"_arguments '*: :(({listed}))'" if offered else "_files")
    return 0


def _answer_fish(candidates: Candidates) -> int:
    """Print one candidate per line with its description; or return only whether there are any, as the exit code."""
    found = _whole_words(candidates)
    if os.environ.get("_TYPER_COMPLETE_FISH_ACTION") == "is-args":
        return 0 if found else 1
    print("\n".join(f"{value}\t{' '.join(help.split())}" if help else value for value, help in found))
    return 0


def _whole_words(candidates: Candidates) -> list[Candidate]:
    """Candidates for shells that replace all of `--run=2025`: they begin with `--run=`."""
    text = os.environ.get("_TYPER_COMPLETE_ARGS", "")
    words = _split(text)[1:]
    incomplete = words.pop() if words and not text.endswith(" ") else ""
    flag, equals, _ = incomplete.partition("=")
    prefix = flag + equals if flag.startswith("--") else ""
    return [(prefix * bool(equals) + value, help) for value, help in candidates(words, incomplete)]


def _split(text: str) -> list[str]:
    """The words of a command line, whose last quote may be open."""
    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    try:
        for word in lexer:
            words.append(word)
    except ValueError:
        words.append(lexer.token)
    return words
