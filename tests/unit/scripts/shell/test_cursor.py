"""Scripts that go deeper than anyone writes them."""

from __future__ import annotations

import time

import pytest

from tests.unit.scripts.helpers import fitted, not_followed, refused


@pytest.mark.parametrize(
    "part", ["$(", "(", "{ ", '"$(', "${x:-", "f() ", "((", "if ", "case a in a) ", "[["]
)
def test_deep_and_long_scripts_are_soon_refused(part: str) -> None:
    began = time.process_time()
    refused(part * 20_000 + "X")
    assert time.process_time() - began < 5


def test_nesting_has_a_bound() -> None:
    assert fitted("{ " * 39 + "echo X" + "; }" * 39)
    assert not_followed("{ " * 40 + "echo X" + "; }" * 40) == "it is nested deeper than 40 levels"
