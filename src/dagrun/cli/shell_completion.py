"""Completion: the script for a shell, and what a TAB offers.

A TAB starts a process and somebody waits for it. So this imports neither the service nor pydantic, rich or asyncio,
reads no journal, forks nothing, and has nothing to say when something is wrong.
"""

from __future__ import annotations

import os
import re
import shlex
from enum import StrEnum
from typing import Annotated

import typer

from dagrun.cli import output
from dagrun.cli.options import Form, Output

VARIABLE = "_DAGRUN_COMPLETE"  # set by the scripts: Typer then completes instead of running the command


class Shell(StrEnum):
    """The shells there are scripts for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def is_requested() -> bool:
    """Whether a TAB started this process."""
    return VARIABLE in os.environ


def completion(
    shell: Annotated[Shell, typer.Argument(help="The shell.")],
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
    from typer._completion_shared import get_completion_script

    script = get_completion_script(prog_name="dagrun", complete_var=VARIABLE, shell=shell.value)
    if form is Form.JSON:
        output.print_json({"shell": shell.value, "script": script})
    else:
        print(script)
    return 0


def prepare() -> None:
    """Teach Typer its shells, which an app without its own completion options does not do."""
    from typer import _completion_classes as classes
    from typer._click.shell_completion import CompletionItem, ShellComplete, add_completion_class

    # Rendering the help texts of candidates would import rich, for markup that our help texts do not have.
    classes._sanitize_help_text = str  # type: ignore[assignment]

    class Bash(classes.BashComplete):
        """Bash breaks words at '=' too; Typer takes what comes out for words of their own.

        Bash then replaces what stands behind the last '=' alone, and takes what it is offered for text in the shell's
        language, as far as no quote is open.
        """

        def get_completion_args(self) -> tuple[list[str], str]:
            self.is_quoted = os.environ["COMP_WORDS"].rpartition("\n")[2][:1] in ("'", '"')
            self.before = ""
            words, incomplete = super().get_completion_args()
            joined: list[str] = []
            glued = False
            for word in [*words, incomplete]:
                if joined and (glued or word == "="):
                    joined[-1] += word
                else:
                    joined.append(word)
                glued = word == "="
            if not self.is_quoted:
                head, equals, _ = re.sub(r"^--[\w-]+=", "", joined[-1]).rpartition("=")
                self.before = head + equals
            return joined[:-1], joined[-1]

        def format_completion(self, item: CompletionItem) -> str:
            value = str(item.value)
            if not value.endswith("]"):  # no variant, whose brackets mean something to a shell
                return value
            if self.is_quoted:
                return value.replace("'", "'\\''")
            if self.before and value.startswith(self.before):
                return re.sub(r"([^\w@%+:,./=-])", r"\\\1", value[len(self.before) :])
            return shlex.quote(value)

    class WholeWords(ShellComplete):
        """The other shells replace the whole of `--run=2025`: what is offered for it must begin with `--run=`."""

        def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
            found = super().get_completions(args, incomplete)
            flag, equals, _ = incomplete.partition("=")
            if flag.startswith("--") and equals:
                for item in found:
                    item.value = f"{flag}={item.value}"
            return found

    class Zsh(classes.ZshComplete, WholeWords):
        pass

    class Fish(classes.FishComplete, WholeWords):
        pass

    for cls in (Bash, Zsh, Fish):
        add_completion_class(cls, cls.name)
