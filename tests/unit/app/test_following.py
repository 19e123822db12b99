"""A run seen from outside: its state is folded on, its logs are read on, nothing is read twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dagrun.app.following import LogFollower, Watch
from dagrun.app.queued_runs import QueuedRuns
from dagrun.app.run_queries import RunQueries
from dagrun.clock import FakeClock
from dagrun.core.events import DagDone, DagStart, Event, TaskExpand, TaskOk, TaskRetry, TaskStart
from dagrun.core.model import Dag
from dagrun.storage.files import FileRuns
from dagrun.storage.run_store import RunWriter
from tests.unit.harness import chain, task

NOW = 1_759_485_600.0


class House:
    """One run in files, with a watcher at its window."""

    def __init__(self, directory: Path, dag: Dag | None = None) -> None:
        self.runs = FileRuns(directory / "runs", directory / "stream.jsonl")
        self.writer: RunWriter = self.runs.create(dag or chain("a; b<-a"), NOW, "r")
        self.watch = Watch(self.runs, "r", FakeClock())
        self.open = True

    def record(self, *events: Event) -> None:
        for event in events:
            self.writer.append(event)
        self.writer.flush()

    def end(self) -> None:
        if self.open:
            self.writer.close()
        self.open = False

    def prints(self, task: str, attempt: int, text: str) -> None:
        with self.runs.log_path("r", task, attempt).open("a") as log:
            log.write(text)

    @property
    def statuses(self) -> list[str]:
        return [task.status for task in self.watch.view().tasks]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.end()


START = DagStart(timestamp=NOW, task_count=2, dag_path="d.yaml", dag_hash="ff")
DONE = DagDone(
    timestamp=NOW, status="success", reason="Completed", tasks_succeeded=2, tasks_failed=0, tasks_skipped=0,
    tasks_cancelled=0, duration_seconds=1.0,
)  # fmt: skip


def starts(task: str, attempt: int = 1) -> TaskStart:
    return TaskStart(timestamp=NOW, task_id=task, attempt=attempt, kind="shell")


def ok(task: str, attempt: int = 1) -> TaskOk:
    return TaskOk(timestamp=NOW, task_id=task, attempt=attempt, duration_seconds=0.1)


def again(task: str, attempt: int) -> TaskRetry:
    return TaskRetry(
        timestamp=NOW, task_id=task, attempt=attempt, error="e", error_type="E", delay_seconds=0.1
    )


def test_a_watch_folds_only_what_is_new(house: House) -> None:
    house.record(START, starts("a"))
    assert [event.name for event in house.watch.poll()] == ["dag_start", "task_start"]
    assert house.statuses == ["running", "pending"]
    house.record(ok("a"))
    assert [event.name for event in house.watch.poll()] == ["task_ok"]
    assert house.watch.poll() == []
    assert house.statuses == ["success", "pending"]
    assert house.watch.bytes_read == (house.runs.directory / "r" / "events.jsonl").stat().st_size


def test_a_watch_is_over_when_nobody_drives_the_run(house: House) -> None:
    house.record(START, starts("a"), ok("a"), starts("b"), ok("b"), DONE)
    seen = [(len(house.watch.poll()), house.watch.live)]
    house.end()
    seen.append((len(house.watch.poll()), house.watch.live))
    assert seen == [(6, True), (0, False)]
    assert house.watch.view().status == "success"


def test_a_run_that_was_left_behind_is_seen_as_interrupted(house: House) -> None:
    house.record(START, starts("a"))
    house.end()
    house.watch.poll()
    assert house.watch.view().status == "interrupted"


def lines_of(logs: LogFollower) -> list[str]:
    return [f"{line.task_id}.{line.attempt} {line.text}" for line in logs.poll()]


def test_attempts_join_as_they_start_and_every_line_comes_once(house: House) -> None:
    logs = LogFollower(house.runs, house.watch)
    assert lines_of(logs) == []
    house.record(START, starts("a"))
    assert lines_of(logs) == []  # nothing printed yet: there is no file
    house.prints("a", 1, "one\ntw")
    assert lines_of(logs) == ["a.1 one"]
    house.prints("a", 1, "o\nthree")
    house.record(again("a", 1), starts("a", 2))
    house.prints("a", 2, "more\n")
    assert lines_of(logs) == ["a.1 two", "a.1 three", "a.2 more"]
    house.prints("a", 1, " and late\n")  # by what the body left behind
    house.record(ok("a", 2), starts("b"), ok("b"), DONE)
    house.prints("b", 1, "all of b\n")
    assert lines_of(logs) == ["b.1 all of b"]
    house.end()
    assert lines_of(logs) == ["a.1  and late"]
    assert not logs.live
    printed = sum(path.stat().st_size for path in (house.runs.directory / "r" / "logs").iterdir())
    assert logs.bytes_read == printed


def test_the_logs_of_one_task(house: House) -> None:
    logs = LogFollower(house.runs, house.watch, "b")
    house.record(START, starts("a"), ok("a"), starts("b"))
    house.prints("a", 1, "a\n")
    house.prints("b", 1, "b\n\n\tlast")
    assert lines_of(logs) == ["b.1 b", "b.1 "]
    house.end()
    assert lines_of(logs) == ["b.1 \tlast"]
    logs.close()


def test_variants_are_followed_alone_and_with_their_group(tmp_path: Path) -> None:
    house = House(tmp_path, Dag(name="d", tasks=(task("t", for_each="${{ params.x }}"), task("u"))))
    group, one = (
        LogFollower(house.runs, Watch(house.runs, "r", FakeClock()), name) for name in ("t", "t[1]")
    )
    house.record(START, TaskExpand(timestamp=NOW, task_id="t", count=2, items=["a", "b"]))
    house.record(starts("t[0]"), starts("t[1]"), starts("u"))
    for name in ("t[0]", "t[1]", "u"):
        house.prints(name, 1, f"{name}\n")
    assert (lines_of(group), lines_of(one)) == (["t[0].1 t[0]", "t[1].1 t[1]"], ["t[1].1 t[1]"])
    history = RunQueries(house.runs, FakeClock(), QueuedRuns(house.runs, tmp_path))
    assert [task_id for task_id, _, _ in history.logs("r", "t")] == ["t[0]", "t[1]"]
    assert [task_id for task_id, _, _ in history.logs("r")] == ["t[0]", "t[1]", "u"]
    assert history.why("r", "t[1]").status == "running"
    house.end()
