"""What all tests share: neither how fast the machine is nor chance decides about any of them, and none can use up its memory."""

from __future__ import annotations

import resource
import sys

from hypothesis import HealthCheck, settings

settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
#: For the soak: other examples each time; a failure prints how to see it again.
settings.register_profile("search", settings.get_profile("any machine"), derandomize=False, print_blob=True)
settings.load_profile("any machine")

#: Bytes that each process of the tests may allocate: pytest's own, and those that they start. Larger requests fail (MemoryError).
MEMORY_LIMIT = 4 * 1024**3


def _limit_memory() -> None:
    """Set the limit, on Linux; macOS accepts none.

    It counts the memory that can be written to (RLIMIT_DATA), because some programs reserve a larger address space and use
    little of it (RLIMIT_AS). Only the soft limit is set: a test that needs more raises it with `resource.setrlimit`, and says why.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or hard > MEMORY_LIMIT:
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_LIMIT, hard))


if sys.platform == "linux":
    _limit_memory()
