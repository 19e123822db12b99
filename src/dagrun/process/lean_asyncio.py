"""Imports asyncio without `ssl`, which takes a tenth of the time of a short run: the loop of a run opens no connection."""

from __future__ import annotations

import sys
from importlib import import_module


def load() -> None:
    """Import asyncio as a Python without `ssl` does. Does nothing if either is imported already: then nothing is saved."""
    if "asyncio" in sys.modules or "ssl" in sys.modules:
        return
    sys.modules["ssl"] = None  # type: ignore[assignment]  # so `import ssl` raises ImportError
    try:
        import_module("asyncio")
    finally:
        del sys.modules["ssl"]
