"""Answers about runs: how they are named, and which tasks and variants they have."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagrun.app.service import Service
from dagrun.clock import FakeClock
from dagrun.core.model import Matrix
from dagrun.errors import NotFoundError, RefusedError, UsageError
from dagrun.executors.inline import InlineExecutor
from dagrun.registry import Registry
from dagrun.scheduling.open_runs import OpenRun, OpenRuns
from dagrun.settings import Settings
from dagrun.storage.memory import MemoryRuns
from tests.unit.harness import chain
from tests.unit.test_groups import EACH, call, lists, lived

LIFE = lived(
    call("list"), call("each", "list", for_each=EACH.for_each), call("m", matrix=Matrix(axes={"os": ("a", "b"), "v": ("1",)})),
    bodies=lambda: {"list": lists("x", "y")},
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("lst", "did you mean 'list'?"),
        ("lst[0]", "did you mean 'list'?"),
        ("list[0]", "'list' has no variants: name it alone"),
        ("each[2]", "there is 'each[0]' to 'each[1]'"),
        ("m[v=1,os=a]", "did you mean 'm[os=a,v=1]'?"),
        ("m[os=b]", "there is 'm[os=b,v=1]'"),
        ("zzz", "run r has: list, each, m"),
    ],
)
def test_a_task_or_a_variant_that_a_run_does_not_have_gets_a_suggestion(name: str, hint: str) -> None:
    service = LIFE.service
    for ask in (service.why, service.follow_logs, lambda run, task_id: list(service.logs(run, task_id))):
        with pytest.raises(NotFoundError) as error:
            ask("r", name)
        assert error.value.hint == hint


def test_a_list_that_is_not_known_yet_has_no_variants_to_ask_about() -> None:
    life = lived(call("list"), call("each", "list", for_each=EACH.for_each), bodies=lambda: {"list": lists()})
    with pytest.raises(NotFoundError) as error:
        life.service.why("r", "each[0]")
    assert error.value.hint == "'each' has no variants: its list is empty, or not known yet"


@pytest.fixture
def service(tmp_path: Path) -> Service:
    """Two runs that have begun and two that are queued."""
    runs = MemoryRuns()
    made = Service(Settings(root=tmp_path), runs, FakeClock(), InlineExecutor, Registry)
    for run_id in ("a-1", "b-1"):
        runs.create(chain("t"), 0.0, run_id).close()
    for run_id in ("a-2", "c-1"):
        queued = OpenRun(schedule_id="s", minute="2026-01-01 00:00", run_id=run_id, dag="other.yaml")
        OpenRuns(made.claims_directory / ".open").put(queued)
    return made


@pytest.mark.parametrize(("named", "run_id"), [("b", "b-1"), ("c", "c-1"), ("a-2", "a-2"), ("a-1", "a-1")])
def test_a_run_is_named_by_a_prefix_whether_it_is_queued_or_not(
    service: Service, named: str, run_id: str
) -> None:
    assert service.any_run_id(named) == run_id
    assert service.status(named).run_id == run_id


def test_a_prefix_of_two_runs_is_refused(service: Service) -> None:
    with pytest.raises(RefusedError, match="'a' names 2 runs"):
        service.any_run_id("a")


def test_a_queued_run_has_no_records_yet(service: Service) -> None:
    with pytest.raises(RefusedError, match="run 'c-1' is queued"):
        service.record("c")
    with pytest.raises(NotFoundError, match="run 'x'"):
        service.record("x")


def test_queued_runs_come_first_in_the_history(service: Service) -> None:
    assert [run.run_id for run in service.history()] == ["c-1", "a-2", "b-1", "a-1"]
    assert [run.run_id for run in service.history(limit=2, offset=1)] == ["a-2", "b-1"]
    assert [run.run_id for run in service.history(dag="other")] == ["c-1", "a-2"]


def test_an_event_must_exist(service: Service) -> None:
    with pytest.raises(UsageError, match="there is no event 'task_o'"):
        service.events(names=["task_o"])
