"""The command line with which dagrun starts itself as a new process."""

from __future__ import annotations

import sys


def command(*words: str) -> list[str]:
    """The command line of `dagrun WORDS` with this interpreter.

    With -P, modules in the working directory cannot hide those of Python, of libraries or of dagrun.
    """
    return [sys.executable, "-P", "-m", "dagrun", *words]


def module(name: str) -> list[str]:
    """The command line of a module of dagrun, with this interpreter."""
    return [sys.executable, "-P", "-m", name]
