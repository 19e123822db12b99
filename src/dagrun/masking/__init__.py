"""Removes secrets from everything that is written: texts, JSON values, and streams that arrive in chunks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from dagrun.masking.finding import Finder
from dagrun.masking.forms import SHORTEST as SHORTEST
from dagrun.masking.forms import forms

MASK = "***"


class Masker:
    """Replaces secrets by `***`, in every form in which they can be recognised. Overlapping ones are replaced as one."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._finder = _in_text(tuple(secrets))

    def __bool__(self) -> bool:
        """Whether there is anything to mask."""
        return self._finder is not None

    def text(self, text: str) -> str:
        """The text without secrets."""
        spans = self._finder.spans(text) if self._finder is not None else ()
        if not spans:
            return text
        done, at = [], 0
        for start, end in spans:
            done += [text[at:start], MASK]
            at = end
        return "".join((*done, text[at:]))

    def value(self, value: Any) -> Any:
        """JSON data without secrets. Keys of mappings are masked too, and kept distinct by additional asterisks.

        A number whose text contains a secret becomes `***`. True, false and null are kept: they cannot contain one.
        """
        if self._finder is None:
            return value
        made: list[Any] = [value]
        pile: list[tuple[Any, Any]] = [
            (made, 0)
        ]  # a stack: data may be nested deeper than the recursion limit
        while pile:
            holder, key = pile.pop()
            item = holder[key]
            if isinstance(item, Mapping):
                fresh: Any = {}
                for name, each in item.items():
                    masked = self._leaf(name)
                    while masked in fresh or (masked != name and masked in item):
                        masked += "*"
                    fresh[masked] = each
                pile += [(fresh, name) for name in fresh]
            elif isinstance(item, list | tuple):
                fresh = list(item)
                pile += [(fresh, i) for i in range(len(fresh))]
            else:
                fresh = self._leaf(item)
            holder[key] = fresh
        return made[0]

    def values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The same for a mapping whose keys are names from the document, which are kept."""
        return {name: self.value(value) for name, value in values.items()}

    def _leaf(self, leaf: Any) -> Any:
        if isinstance(leaf, str):
            return self.text(leaf)
        if isinstance(leaf, int | float) and not isinstance(leaf, bool):
            return MASK if self._has_secret(leaf) else leaf
        return leaf

    def _has_secret(self, number: float) -> bool:
        try:
            text = repr(number)
        except ValueError:  # more digits than Python converts to text
            return False
        return self.text(text) != text


class StreamMasker:
    """The same for bytes that arrive in chunks. A secret may span several chunks."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._finder = _in_bytes(tuple(secrets))
        self._held = b""
        self._covered = 0  # bytes at the beginning of `_held` that belong to a masked secret

    def feed(self, data: bytes) -> bytes:
        """What can be written now: everything before the possible beginning of a secret."""
        if self._finder is None:
            return data
        data = self._held + data
        keep = self._finder.unfinished(data)
        return self._write(data, keep)

    def finish(self) -> bytes:
        """The rest."""
        return self._write(self._held, len(self._held))

    def _write(self, data: bytes, keep: int) -> bytes:
        """Return what is before `keep`, with all secrets that begin there masked; hold the rest."""
        done: list[bytes] = []
        at = self._covered
        for start, end in self._finder.spans(data, keep) if self._finder is not None else ():
            if start >= at:
                done += [data[at:start], MASK.encode()]
            at = max(at, end)
        if at < keep:
            done.append(data[at:keep])
        self._held, self._covered = data[keep:], max(0, at - keep)
        return b"".join(done)


@lru_cache(maxsize=16)
def _in_text(secrets: tuple[str, ...]) -> Finder[str] | None:
    found = forms(secrets)
    return Finder(found) if found else None


@lru_cache(maxsize=16)
def _in_bytes(secrets: tuple[str, ...]) -> Finder[bytes] | None:
    found = {form.encode("utf-8", "surrogateescape") for form in forms(secrets)}
    return Finder(found) if found else None
