"""`tests/stories/test_command_lines.py`, for longer and with other command lines each time: `make soak`."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import pytest

from tests.stories.command_lines import command_lines
from tests.stories.test_command_lines import check
from tests.stories.test_command_lines import place as place

pytestmark = [pytest.mark.soak, pytest.mark.timeout(0)]
LINES = 50 * int(os.environ.get("SOAK_ROUNDS", "200"))


def test_no_command_line_ever_causes_an_internal_error(place: Path) -> None:
    seed = int(os.environ.get("SOAK_SEED") or secrets.randbits(32))
    print(f"SOAK_SEED={seed}")
    for words in command_lines(seed, LINES):
        check(words, place)
