"""What the shipped workflows share: reading text by lines, comparing wording, writing a file once."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from dagrun.shipped_workflows._pattern import Pattern


@dataclass(frozen=True, slots=True)
class Source:
    """An input text: `name` is how messages call it, `lines[0]` is line 1."""

    name: str
    lines: tuple[str, ...]


def load(text: str, file: Path | None, what: str) -> Source | None:
    """The inline text or the file's text, or None when neither was given.

    `what` is the parameter's stem, such as `inbox`. Raises ValueError when both are given or the file is not
    UTF-8 text, FileNotFoundError when there is no such file.
    """
    if text.strip() and file is not None:
        raise ValueError(f"Give {what} either as text or as a file, not both (file: {file})")
    if file is not None:
        return Source(str(file), split_lines(_read(file, what)))
    return Source("inline text", split_lines(text)) if text.strip() else None


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
    """Lines as an editor counts them; `str.splitlines` would also break at form feeds and the like."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return tuple(lines[:-1] if lines[-1] == "" else lines)


def write_if_changed(path: Path, text: str) -> bool:
    """Put `text` (UTF-8) at `path` in one step, with its folders; False when exactly that was there."""
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


def squeeze(text: str) -> str:
    """The text with every run of white space as one blank."""
    return " ".join(text.split())


def shorten(text: str, width: int) -> str:
    """At most `width` characters, cut at a word where that is possible."""
    text = squeeze(text)
    if len(text) <= width:
        return text
    cut = text[: width - 3]
    return (cut.rsplit(" ", 1)[0] if " " in cut[width // 2 :] else cut) + "..."


def count(number: int, noun: str, plural: str = "") -> str:
    """`1 mail`, `2 mails`; pass `plural` where an s does not do."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def cell(text: str) -> str:
    """Text for one cell of a Markdown table."""
    return squeeze(text).replace("|", "\\|")


_WORD = Pattern(r"[^\W_]+(?:[-.][^\W_]+)*")
_COMMON_WORDS = """
    a about after again all also am an and any anyone are as at back be because been before but by can
    cannot could did do does doing done don each else even every everybody everyone for from further get
    gets getting go goes going good got had has have he her here him his how i if in into is it its just
    know let lets ll make makes me more most much my need needs next no nobody not now of off ok okay on
    once one only or other our out over own please put really right s said same say see she should so
    some somebody someone something still such sure t take than thank thanks that the their them then
    there these they thing this those though to today together tomorrow too under until up us ve very
    want was we well went were what when where whether which while who why will with would yes yet you
    your monday tuesday wednesday thursday friday saturday sunday week
"""
_COMMON = frozenset(_COMMON_WORDS.split())


@lru_cache(maxsize=20_000)
def content_words(text: str, without: frozenset[str] = frozenset()) -> frozenset[str]:
    """The words that carry the meaning, lower case and stemmed; a rough measure, good for overlaps.

    `without` holds further lower-case words to leave out.
    """
    words = (match.group().lower() for match in _WORD.finditer(text.replace("'", " ").replace("’", " ")))
    left_out = _COMMON | without
    return frozenset(_stem(word) for word in words if len(word) > 1 and word not in left_out)


def _stem(word: str) -> str:
    """A stem good enough to hold rehearse, rehearsed and rehearsal together; ids and numbers stay whole."""
    if any(char.isdigit() for char in word):
        return word
    for ending in ("ing", "ed", "s"):
        if len(word) > len(ending) + 2 and word.endswith(ending) and not word.endswith("ss"):
            word = word.removesuffix(ending)
            break
    return word[:6]


def overlap(one: frozenset[str], other: frozenset[str]) -> float:
    """The share of the smaller set that is in the other, 0 to 1."""
    return len(one & other) / min(len(one), len(other)) if one and other else 0.0


def upstream_values(upstream: Mapping[str, object], key: str) -> list[tuple[str, object]]:
    """`(task, value)` for every `<task>__<key>`, sorted by task; a matrix task gives one per variant."""
    found: list[tuple[str, object]] = []
    for name in sorted(upstream):
        task, separator, tail = name.rpartition("__")
        if separator and tail == key:
            value = upstream[name]
            if isinstance(value, Mapping):
                found.extend((f"{task}[{variant}]", value[variant]) for variant in value)
            else:
                found.append((task, value))
    return found
