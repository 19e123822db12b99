"""What expressions read of their run."""

from __future__ import annotations

import pytest

from dagrun.core.model import Dag
from tests.unit.harness import task
from tests.unit.runtime.harness import builder, work


@pytest.mark.parametrize(
    ("scheduled_at", "minute"),
    [(None, "1970-01-01T00:00:00.000Z"), ("2026-01-31T09:00:00.000Z", "2026-01-31T09:00:00.000Z")],
)  # fmt: skip
def test_the_time_that_a_run_is_scheduled_for_is_the_minute_of_its_fire_else_its_start(
    scheduled_at: str | None, minute: str
) -> None:
    dag = Dag(name="d", tasks=(task("t", env={"AT": "${{ run.scheduled_at }}"}),))
    assert work(dag, scheduled_at=scheduled_at).own_env["AT"] == minute


@pytest.mark.parametrize(
    ("condition", "holds"),
    [("'false'", False), ("''", False), ("'no'", True), ("run.status == 'running'", True), ("length(run.failed) == 0", True),
     ("run.reason == ''", True), ("env.X", False), ("env.Y", True)],
)  # fmt: skip
def test_the_value_of_a_condition(condition: str, holds: bool) -> None:
    made = builder(Dag(name="d", tasks=(task("t", condition=condition),)), {"X": "false", "Y": "1"})
    assert made.condition(made.prepared.graph.nodes[0]) is holds
