"""What all tests share: neither how fast the machine is nor chance decides about any of them."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
#: For the soak: other examples each time; a failure prints how to see it again.
settings.register_profile("search", settings.get_profile("any machine"), derandomize=False, print_blob=True)
settings.load_profile("any machine")
