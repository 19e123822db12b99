"""How much of a run's facts a power loss may cost."""

from __future__ import annotations

from enum import StrEnum


class Durability(StrEnum):
    """What a power loss may cost; a crash of dagrun costs nothing that was flushed, whatever this says."""

    #: What the system had not written yet: on Linux usually the last 5 to 30 seconds.
    OS = "os"
    #: The last second.
    BATCH = "batch"
    #: Nothing.
    FSYNC = "fsync"
