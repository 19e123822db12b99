"""What a service starts on this machine, and when. `tests/contract/test_service.py` drives real runs with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagrun.app import wiring
from dagrun.executors.local import processes
from dagrun.runtime.run_request import RunRequest
from dagrun.settings import Settings

pytestmark = pytest.mark.skipif(not processes.LINUX, reason="reads the children of this process from /proc")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "d.yaml").write_text("name: d\ntasks: [{id: a, run: x}]\n")
    return Settings(root=tmp_path)


def test_queries_and_documents_without_workflows_start_no_process(settings: Settings) -> None:
    before = processes.OwnChildren().ids()
    with wiring.service(settings) as service, wiring.documents(settings) as documents:
        assert service.history() == []
        service.documents.prepare(RunRequest(dag=str(settings.root / "d.yaml")))
        assert documents.validate([str(settings.root / "d.yaml")])[0].findings == []
        assert processes.OwnChildren().ids() == before


def test_for_runs_a_keeper_is_started_at_once_and_ended_with_the_service(settings: Settings) -> None:
    before = processes.OwnChildren().ids()
    with wiring.service(settings, runs=True):
        assert len(processes.OwnChildren().ids()) == len(before) + 1
    assert processes.OwnChildren().ids() == before
