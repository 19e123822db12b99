"""Text on its way to and from the system: UTF-8, whatever the locale is. Bytes that are not UTF-8 pass unchanged."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping

#: Half a surrogate pair that stands for no byte: no encoding takes it.
_NO_CHARACTER = re.compile("[\ud800-\udc7f\udd00-\udfff]")


def to_bytes(text: str) -> bytes:
    """The bytes that a process is to receive for a text."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return _NO_CHARACTER.sub("?", text).encode("utf-8", "surrogateescape")


def from_system(text: str) -> str:
    """A path or a variable that Python decoded with the locale's encoding, as `to_bytes` expects it."""
    if sys.getfilesystemencoding() == "utf-8":
        return text
    return os.fsencode(text).decode("utf-8", "surrogateescape")


def from_command_line(text: str) -> str:
    """An argument of this process: as UTF-8 if it is that, else as the locale says."""
    try:
        return os.fsencode(text).decode()
    except ValueError:
        return text


def environment() -> dict[str, str]:
    """The environment of this process as `to_bytes` expects it."""
    return {from_system(name): from_system(text) for name, text in os.environ.items()}


def put(variables: Mapping[str, str]) -> None:
    """Add variables to the environment of this process. Raises ValueError for one that no system takes."""
    try:
        os.environ.update(variables)
    except UnicodeEncodeError:  # the locale has no such character
        os.environb.update({to_bytes(name): to_bytes(text) for name, text in variables.items()})
