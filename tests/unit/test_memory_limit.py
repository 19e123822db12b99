"""The memory limit of the tests (`tests/conftest.py`) is in force."""

from __future__ import annotations

import sys

import pytest

from tests.conftest import MEMORY_LIMIT


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux enforces the limit")
def test_no_process_of_the_tests_can_allocate_more_than_the_limit() -> None:
    with pytest.raises(MemoryError):
        bytearray(MEMORY_LIMIT)
