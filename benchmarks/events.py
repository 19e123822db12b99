"""Recording facts: an event goes into the run's journal and the stream of all runs, through the real writer."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator, Sequence

from benchmarks.measure import Row, Spread, turns
from benchmarks.place import NotDone, Place
from dagrun.core.event_lines import Encoder
from dagrun.core.events import Event, TaskOk, TaskStart
from dagrun.core.model import Dag
from dagrun.storage.files import FileRuns

DAG = Dag(name="events", tasks=())


def events(place: Place) -> Iterator[Row]:
    """Encoding included, in batches as a busy engine writes them and one by one."""
    count = place.sized(20_000)
    facts = _facts(count)
    number = itertools.count()

    def recorded(batch: int) -> Callable[[], float]:
        return lambda: _record(place, f"{next(number)}", facts, batch)

    rounds = turns(place.runs, lambda: _bare(place, count), recorded(64), recorded(1))
    for i, how in ((1, "in batches of 64"), (2, "one by one")):
        yield Row(
            work=f"one event into both files, {how}",
            goal=7,
            against="`os.write` of a ready line",
            measured=Spread.of(took[i] / took[0] for took in rounds),
        )


def _facts(count: int) -> Sequence[Event]:
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


def _record(place: Place, name: str, facts: Sequence[Event], batch: int) -> float:
    run = FileRuns(place.root / "events", place.root / f"{name}.jsonl").create(DAG, time.time(), name)
    begun = time.perf_counter()
    for i, fact in enumerate(facts, 1):
        run.append(fact)
        if i % batch == 0:
            run.flush()
    run.flush()
    seconds = time.perf_counter() - begun
    run.close()
    for path in (run.layout.journal, place.root / f"{name}.jsonl"):
        if path.read_bytes().count(b"\n") != len(facts):
            raise NotDone(f"not every event is in {path}")
    return seconds


def _bare(place: Place, count: int) -> float:
    line = Encoder("0", DAG.name, DAG.tenant).encode(_facts(2)[1])[0].encode()
    path = place.root / "bare.jsonl"
    path.unlink(missing_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    begun = time.perf_counter()
    for _ in range(count):
        os.write(file, line)
    seconds = time.perf_counter() - begun
    os.close(file)
    if path.stat().st_size != count * len(line):
        raise NotDone(f"not every line is in {path}")
    return seconds
