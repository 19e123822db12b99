"""What acceptance tests share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.harness import Project

if sys.platform != "linux":
    collect_ignore_glob = ["test_*.py"]  # the harness finds processes in /proc


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """An empty project; after the test no process of it may be left and no traceback may have been seen."""
    project = Project(tmp_path)
    try:
        yield project
        project.assert_clean()
    finally:
        project.tidy()
