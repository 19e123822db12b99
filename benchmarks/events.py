"""Recording events: each is written to the run's journal and to the stream of all runs, by the real writer."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator, Sequence

from benchmarks.measure import Row, Spread, turns
from benchmarks.workspace import NotDone, Workspace
from dagrun.core.event_lines import Encoder
from dagrun.core.events import Event, TaskOk, TaskStart
from dagrun.core.model import Dag
from dagrun.storage.files import FileRuns

DAG = Dag(name="events", tasks=())


def events(workspace: Workspace) -> Iterator[Row]:
    """Encoding included; in batches, as a busy engine writes them, and one by one."""
    count = workspace.sized(20_000)
    sample = _sample(count)
    number = itertools.count()

    def recorded(batch: int) -> Callable[[], float]:
        return lambda: _record(workspace, f"{next(number)}", sample, batch)

    rounds = turns(workspace.runs, lambda: _bare(workspace, count), recorded(64), recorded(1))
    for i, how in ((1, "in batches of 64"), (2, "one by one")):
        yield Row(
            work=f"one event into both files, {how}",
            goal=7,
            against="`os.write` of a ready line",
            measured=Spread.of(took[i] / took[0] for took in rounds),
        )


def _sample(count: int) -> Sequence[Event]:
    now = 1_800_000_000.0
    pairs = (
        (
            TaskStart(
                timestamp=now + i / 1000, task_id=f"task_{i}", attempt=1, kind="workflow", workflow_ref="noop"
            ),
            TaskOk(
                timestamp=now + i / 1000,
                task_id=f"task_{i}",
                attempt=1,
                duration_seconds=0.001,
                outputs={"n": 1},
            ),
        )
        for i in range(count // 2)
    )
    return list(itertools.chain.from_iterable(pairs))


def _record(workspace: Workspace, name: str, sample: Sequence[Event], batch: int) -> float:
    run = FileRuns(workspace.root / "events", workspace.root / f"{name}.jsonl").create(DAG, time.time(), name)
    start = time.perf_counter()
    for i, event in enumerate(sample, 1):
        run.append(event)
        if i % batch == 0:
            run.flush()
    run.flush()
    seconds = time.perf_counter() - start
    run.close()
    for path in (run.layout.journal, workspace.root / f"{name}.jsonl"):
        if path.read_bytes().count(b"\n") != len(sample):
            raise NotDone(f"not every event is in {path}")
    return seconds


def _bare(workspace: Workspace, count: int) -> float:
    line = Encoder("0", DAG.name, DAG.tenant).encode(_sample(2)[1])[0]
    path = workspace.root / "bare.jsonl"
    path.unlink(missing_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    start = time.perf_counter()
    for _ in range(count):
        os.write(file, line)
    seconds = time.perf_counter() - start
    os.close(file)
    if path.stat().st_size != count * len(line):
        raise NotDone(f"not every line is in {path}")
    return seconds
