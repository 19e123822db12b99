"""Input texts, given inline or as files, and output files that are written only when they change."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class InputText:
    """An input text; `name` is its name in messages, `lines[0]` is line 1."""

    name: str
    lines: tuple[str, ...]


def load(text: str, file: Path | None, what: str) -> InputText | None:
    """The inline text or the file's text, or None when neither was given.

    `what` is the name for messages, such as `inbox`. Raises ValueError when both are given or the file is not
    UTF-8 text; FileNotFoundError when there is no such file.
    """
    if text.strip() and file is not None:
        raise ValueError(f"Give {what} either as text or as a file, not both (file: {file})")
    if file is not None:
        return InputText(str(file), split_lines(_read(file, what)))
    return InputText("inline text", split_lines(text)) if text.strip() else None


def _read(file: Path, what: str) -> str:
    if not file.exists():
        raise FileNotFoundError(f"The {what} file does not exist: {file}")
    if not file.is_file():
        raise ValueError(f"The {what} file is not a regular file: {file}")
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"The {what} file is not UTF-8 text (byte {error.start}): {file}") from None


def split_lines(text: str) -> tuple[str, ...]:
    """Lines as an editor counts them; `str.splitlines` would also split at form feeds and the like."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return tuple(lines[:-1] if lines[-1] == "" else lines)


def write_if_changed(path: Path, text: str) -> bool:
    """Writes `text` (UTF-8) to `path` atomically, and creates its folders; False if it has this content already."""
    data = text.encode("utf-8", errors="replace")
    if path.is_file() and path.read_bytes() == data:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    temp = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        temp.write_bytes(data)
        temp.replace(path)
    finally:
        temp.unlink(missing_ok=True)
    return True
