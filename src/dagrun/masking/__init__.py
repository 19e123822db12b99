"""Secrets kept out of everything that is written: texts, values, and streams that arrive in pieces."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from dagrun.masking.finding import Finder
from dagrun.masking.forms import SHORTEST as SHORTEST
from dagrun.masking.forms import forms

MASK = "***"


class Masker:
    """Replaces secrets by `***`, in every form that gives them away. What overlaps is replaced as one."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._finder = _in_text(tuple(secrets))

    def __bool__(self) -> bool:
        """Whether there is anything to mask."""
        return self._finder is not None

    def text(self, text: str) -> str:
        """A whole text without secrets."""
        spans = self._finder.spans(text) if self._finder is not None else ()
        if not spans:
            return text
        done, at = [], 0
        for start, end in spans:
            done += [text[at:start], MASK]
            at = end
        return "".join((*done, text[at:]))

    def value(self, value: Any) -> Any:
        """JSON data without secrets. The keys of mappings are masked too, and told apart by more asterisks.

        A number whose text holds a secret becomes `***`. True, false and null are kept: they cannot hold one.
        """
        if self._finder is None:
            return value
        made: list[Any] = [value]
        pile: list[tuple[Any, Any]] = [
            (made, 0)
        ]  # data may be nested deeper than functions may call each other
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
        """The same for a mapping whose keys are names that the document declares: they are kept."""
        return {name: self.value(value) for name, value in values.items()}

    def _leaf(self, leaf: Any) -> Any:
        if isinstance(leaf, str):
            return self.text(leaf)
        if isinstance(leaf, int | float) and not isinstance(leaf, bool):
            return MASK if self._is_telling(leaf) else leaf
        return leaf

    def _is_telling(self, number: float) -> bool:
        try:
            text = repr(number)
        except ValueError:  # more digits than Python writes, and so than JSON could hold
            return False
        return self.text(text) != text


class StreamMasker:
    """The same for bytes that arrive in pieces, which a secret may span."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._finder = _in_bytes(tuple(secrets))
        self._held = b""
        self._covered = 0  # bytes at the beginning of what is held that are part of a secret that was masked

    def feed(self, data: bytes) -> bytes:
        """What can be written now: all before what may turn out to be the beginning of a secret."""
        if self._finder is None:
            return data
        data = self._held + data
        keep = self._finder.unfinished(data)
        return self._write(data, keep)

    def finish(self) -> bytes:
        """The rest."""
        return self._write(self._held, len(self._held))

    def _write(self, data: bytes, keep: int) -> bytes:
        """Write what stands before `keep`, with all secrets that begin there; hold the rest."""
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
