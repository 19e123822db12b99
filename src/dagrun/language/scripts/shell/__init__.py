"""A scanner for sh, bash, dash, ksh and zsh that finds how each `${{ }}` of a script is quoted.

It follows the shells' grammar as far as quoting and the names of commands depend on it. Where the shells read a text
differently, or where the scanner cannot follow, it gives up (`ScanError`) and refuses everything after the last complete
statement.

The scanner is one class in five layers, each a subclass of the one before: `cursor`, `pieces` of words, `words`,
`redirections`, `grammar`. Each calls the layers below it. The one exception is `statements`, which reads the commands inside a word.
"""

from __future__ import annotations

from typing import Final

from dagrun.language.scripts.placeholders import Context
from dagrun.language.scripts.shell.grammar import Grammar

SHELLS: Final = frozenset({"sh", "bash", "dash", "ksh", "zsh"})


def contexts(text: str, shell: str) -> list[Context]:
    """The context of every PLACEHOLDER in a script, in order."""
    return Grammar(text, shell).run()
