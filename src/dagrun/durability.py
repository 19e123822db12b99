"""How many of a run's recorded events a power loss may cost."""

from __future__ import annotations

from enum import StrEnum


class Durability(StrEnum):
    """The events that a power loss may cost. A crash of dagrun never costs events that were flushed."""

    #: Those that the system had not written yet: on Linux usually the last 5 to 30 seconds.
    OS = "os"
    #: Those of the last second.
    BATCH = "batch"
    #: None.
    FSYNC = "fsync"
