"""The work for an attempt: its working directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagrun.core.model import Dag
from dagrun.language.expressions import EvaluationError
from tests.unit.harness import task
from tests.unit.runtime.harness import work


def test_a_working_directory_may_be_an_expression() -> None:
    dag = Dag(name="d", tasks=(task("t", working_dir="out/${{ env.D }}", env={"D": "x"}),))
    assert work(dag).cwd == Path("/project/out/x")


@pytest.mark.parametrize("value", ["", " ", "a\0b"])
def test_a_working_directory_that_is_none_fails_the_task(value: str) -> None:
    dag = Dag(name="d", tasks=(task("t", working_dir="${{ env.D }}"),))
    with pytest.raises(EvaluationError, match=r"working_dir: .* names no directory"):
        work(dag, {"D": value})
