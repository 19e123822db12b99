"""What tasks can be named by."""

from __future__ import annotations

from dagrun.core.ids import variant_ids
from dagrun.core.model import Matrix
from tests.unit.harness import task


def test_variants_have_ids_and_lists_that_come_later_have_none() -> None:
    tasks = [task("a"), task("t", matrix=Matrix(axes={"os": ("x", "y")})), task("l", for_each=(1, 2))]
    assert variant_ids(tasks) == {"t[os=x]": 1, "t[os=y]": 1}
