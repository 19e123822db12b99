"""A scanner for sh, bash, dash, ksh and zsh that tells how each `${{ }}` of a script is quoted.

It follows the shells' grammar as far as quoting and the names of commands depend on it. Where they read a text
differently, or where it cannot follow, it gives up (`Lost`) and refuses everything from the last finished statement on.

It is one reader in storeys, each a class over the one below: `cursor`, `pieces` of words, `words`, `redirections`,
`grammar`. A storey calls down; the one call up is `statements`, for the commands inside a word.
"""

from __future__ import annotations

from typing import Final

from dagrun.language.scripts.placeholders import Place
from dagrun.language.scripts.shell.grammar import Grammar

SHELLS: Final = frozenset({"sh", "bash", "dash", "ksh", "zsh"})


def places(text: str, shell: str) -> list[Place]:
    """The place of every HOLE in a script, in order."""
    return Grammar(text, shell).run()
