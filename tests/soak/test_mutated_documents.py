"""The same as `tests/stories/test_mutated_documents.py`, with many more documents: `make soak`."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import pytest

from tests.stories.mutations import problems

pytestmark = [pytest.mark.soak, pytest.mark.timeout(0)]
COUNT = int(os.environ.get("SOAK_DOCUMENTS", "10000"))


def test_damaged_documents_are_reported_and_never_crash(tmp_path: Path) -> None:
    seed = int(os.environ.get("SOAK_SEED") or secrets.randbits(32))
    print(f"SOAK_SEED={seed} SOAK_DOCUMENTS={COUNT}")
    found = problems(tmp_path, seed, COUNT)
    assert not found, f"seed {seed}, {len(found)} of {COUNT} documents:\n" + "\n\n".join(found[:5])
