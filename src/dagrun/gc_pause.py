"""The garbage collector, kept from looking again and again at what is just being built, and stays."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

#: New objects before it looks at them: more than a short command makes.
PATIENCE = 100_000


def be_patient() -> None:
    """For a process that is ours. Bodies run in what is forked from it, and get Python's own ways back."""
    usual = gc.get_threshold()
    gc.set_threshold(PATIENCE, *usual[1:])
    os.register_at_fork(after_in_child=lambda: gc.set_threshold(*usual))


def leave_the_rest() -> None:
    """Before the process ends: the system takes everything back at once, so nothing need be looked for."""
    gc.freeze()


#: A full collection takes milliseconds, and a command reads fewer documents than this.
PAUSES_PER_COLLECTION = 1_000
_pauses = count(1)


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
        # Python counts old objects only when it makes them old itself: without this, garbage in cycles would never be collected.
        if next(_pauses) % PAUSES_PER_COLLECTION == 0:
            gc.collect()
