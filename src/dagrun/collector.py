"""The garbage collector, kept from looking again and again at a document that is just being built."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def resting() -> Iterator[None]:
    """No collection until the block ends. What was built in it counts as old then, so that the next one is cheap too."""
    if not gc.isenabled():  # a block around this one rests already
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.unfreeze()
        gc.enable()
