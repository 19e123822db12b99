"""Fewer runs of the garbage collector while large structures are built that stay in use."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

#: New objects before a collection: more than a short command creates.
THRESHOLD = 100_000


def collect_less_often() -> None:
    """Collect less often in this process. Processes that are forked from it, in which bodies run, get Python's default back."""
    usual = gc.get_threshold()
    gc.set_threshold(THRESHOLD, *usual[1:])
    os.register_at_fork(after_in_child=lambda: gc.set_threshold(*usual))


#: A full collection takes milliseconds, and a command reads fewer documents than this.
PAUSES_PER_COLLECTION = 1_000
_pauses = count(1)


@contextmanager
def resting() -> Iterator[None]:
    """No collection until the block ends. Its objects count as old then, so that the next collection is cheap too."""
    if not gc.isenabled():  # inside another such block
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.unfreeze()
        gc.enable()
        # Python counts old objects only when it makes them old itself: without this, garbage in cycles would never be collected.
        if next(_pauses) % PAUSES_PER_COLLECTION == 0:
            gc.collect()
