"""Secrets kept out of everything that is written: whole texts, values, and streams that arrive in pieces."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

SHORTEST = 4  # characters; masking less would mask half of every log
MASK = "***"


def forms(secrets: Iterable[str]) -> tuple[str, ...]:
    """Every text that gives a secret away: itself, its lines, and what JSON makes of it; the longest first."""
    found: set[str] = set()
    for secret in secrets:
        for text in (secret, *(line.strip() for line in secret.splitlines())):
            if len(text) >= SHORTEST:
                found |= {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
    return tuple(sorted(found, key=lambda text: (-len(text), text)))


class Masker:
    """Replaces secrets by `***`."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self.forms = forms(secrets)
        self._text = re.compile("|".join(map(re.escape, self.forms))) if self.forms else None

    def text(self, text: str) -> str:
        """A whole text without secrets."""
        return self._text.sub(MASK, text) if self._text else text

    def value(self, value: Any) -> Any:
        """JSON data without secrets, keys included. The same object when there are none to hide."""
        if self._text is None:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.value(key): self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value


class StreamMasker:
    """The same for bytes that arrive in pieces, which a secret may span."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._forms = [form.encode("utf-8", "surrogateescape") for form in forms(secrets)]
        self._pattern = re.compile(b"|".join(map(re.escape, self._forms)))
        # What may be the beginning of a secret has to wait for what follows.
        self._starts = {form[:length] for form in self._forms for length in range(1, len(form))}
        self._longest = max(map(len, self._forms), default=1)
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """What can be written now."""
        data = self._held + data
        done: list[bytes] = []
        at = 0
        keep = len(data) - self._waiting(data)
        for match in self._pattern.finditer(data):
            if match.end() > keep and match.start() >= keep:
                break
            done += [data[at : match.start()], MASK.encode()]
            at = match.end()
        keep = max(keep, at)
        done.append(data[at:keep])
        self._held = data[keep:]
        return b"".join(done)

    def finish(self) -> bytes:
        """The rest."""
        rest, self._held = self._held, b""
        return self._pattern.sub(MASK.encode(), rest)

    def _waiting(self, data: bytes) -> int:
        """The length of the longest end of `data` that begins a secret."""
        for length in range(min(self._longest - 1, len(data)), 0, -1):
            if data[-length:] in self._starts:
                return length
        return 0
