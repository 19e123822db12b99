"""How dagrun starts itself again, as a process of its own."""

from __future__ import annotations

import sys


def command(*words: str) -> list[str]:
    """The command line of `dagrun WORDS` in this interpreter.

    -P: modules in the present directory are not taken for Python's own, its libraries' or dagrun's.
    """
    return [sys.executable, "-P", "-m", "dagrun", *words]
