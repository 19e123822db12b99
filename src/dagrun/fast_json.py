"""JSON by compiled code; by Python's own where only that knows the text: halves of surrogate pairs, which stand for bytes of no character.

For data that is JSON already: neither function refuses NaN, sets or dates, as `json` with `allow_nan=False` does.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def encode(data: Any) -> bytes:
    """Data as JSON in UTF-8. Raises TypeError or RecursionError for what JSON cannot represent."""
    try:
        return _encode(data)
    except UnicodeEncodeError:
        text = json.dumps(msgspec.to_builtins(data), ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "backslashreplace")


def decode(data: bytes | bytearray | memoryview) -> Any:
    """The data in JSON. Raises ValueError or RecursionError."""
    try:
        return _decode(data)
    except msgspec.DecodeError:
        return json.loads(bytes(data))
