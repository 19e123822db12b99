"""Text for and from the system as UTF-8, whatever the locale is. Bytes that are not UTF-8 pass unchanged."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping

#: Surrogates that do not stand for a byte: they cannot be encoded.
_NO_CHARACTER = re.compile("[\ud800-\udc7f\udd00-\udfff]")


def to_bytes(text: str) -> bytes:
    """The bytes of a text for a process."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return _NO_CHARACTER.sub("?", text).encode("utf-8", "surrogateescape")


def from_system(text: str) -> str:
    """Text that Python decoded with the locale's encoding (a path, a variable), as `to_bytes` expects it."""
    if sys.getfilesystemencoding() == "utf-8":
        return text
    return os.fsencode(text).decode("utf-8", "surrogateescape")


def from_command_line(text: str) -> str:
    """An argument of this process, decoded as UTF-8 if it is valid, else with the locale's encoding."""
    try:
        return os.fsencode(text).decode()
    except ValueError:
        return text


def environment() -> dict[str, str]:
    """The environment of this process as `to_bytes` expects it."""
    return {from_system(name): from_system(text) for name, text in os.environ.items()}


def put(variables: Mapping[str, str]) -> None:
    """Add variables to the environment of this process. Raises ValueError for one that the system cannot hold."""
    try:
        os.environ.update(variables)
    except UnicodeEncodeError:  # the locale cannot encode it
        os.environb.update({to_bytes(name): to_bytes(text) for name, text in variables.items()})
