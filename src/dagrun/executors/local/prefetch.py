"""Who gets queued calls: the warm workers whose bodies are over in no time, and how many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from dagrun.core.work import Call, Work
from dagrun.executors.local.attempts import RunningAttempt
from dagrun.executors.local.worker_handle import DEPTH, MOST_QUEUED, WarmWorker, packed_call

TINY = 0.001  # seconds: a workflow's bodies that take no longer are queued ...
TINY_BODIES = 8  # ... once so many of them in a row were as quick


class Pace:
    """How quick each workflow's bodies are, and how large its calls."""

    def __init__(self) -> None:
        self._tiny: Counter[str] = Counter()  # how many of its bodies in a row were tiny
        self._sizes: dict[str, int] = {}  # bytes of its last call that was queued

    def note_end(self, work: Work, duration: float) -> None:
        """A body has ended after so many seconds."""
        ref = ref_of(work)
        is_tiny = duration <= TINY and not work.masks  # after one with secrets the worker is replaced
        self._tiny[ref] = self._tiny[ref] + 1 if is_tiny else 0

    def note_size(self, work: Work, size: int) -> None:
        """A call was made ready to travel."""
        self._sizes[ref_of(work)] = size

    def forget(self, ref: str) -> None:
        """Whatever its bodies were, its next calls are not queued."""
        self._tiny[ref] = 0

    def is_quick(self, ref: str) -> bool:
        """Whether the workflow's last bodies were all tiny."""
        return self._tiny[ref] >= TINY_BODIES

    def size(self, ref: str) -> int:
        """Bytes that its next call may have."""
        return self._sizes.get(ref, 1)


class Dealer:
    """Deals queued calls out."""

    def __init__(self, pace: Pace) -> None:
        self.pace = pace

    def room(self, ref: str, workers: Iterable[WarmWorker]) -> int:
        """Room for as many as keep the workers busy that run tiny bodies now; none until half of it is used up."""
        if not self.pace.is_quick(ref):
            return 0
        takers, size = self._takers(workers), self.pace.size(ref)
        free = sum(worker.room(size) for worker in takers)
        return free if 2 * free >= min(DEPTH, MOST_QUEUED // size) * len(takers) else 0

    def is_taker(self, worker: WarmWorker) -> bool:
        """Whether it runs a tiny body, so that it may be given more of them in advance."""
        job = worker.job
        return (
            job is not None
            and not worker.retire
            and not worker.late
            and job.stop is None
            and self.pace.is_quick(ref_of(job.work))
        )

    def deal(self, jobs: Sequence[tuple[int, RunningAttempt]], workers: Iterable[WarmWorker]) -> int:
        """Deal numbered jobs out, the shortest queue first; how many of them found room."""
        takers = self._takers(workers)
        dealt: dict[int, list[tuple[int, bytes]]] = {worker.pid: [] for worker in takers}
        found = 0
        for number, job in jobs:
            worker = min(takers, key=lambda worker: len(worker.queue), default=None)
            data = b"" if worker is None else self._call(worker, number, job)
            if worker is None or not data:
                break
            worker.put(number, job, len(data))
            dealt[worker.pid].append((number, data))
            found += 1
        for worker in takers:
            if calls := dealt[worker.pid]:
                worker.send_queue([number for number, _ in calls], [data for _, data in calls])
        return found

    def _takers(self, workers: Iterable[WarmWorker]) -> list[WarmWorker]:
        return [*filter(self.is_taker, workers)]

    def _call(self, worker: WarmWorker, number: int, job: RunningAttempt) -> bytes:
        """The call as it travels; nothing if there is no room for it, or if it cannot travel: `start` says why then."""
        ref = ref_of(job.work)

        def fits(size: int) -> bool:
            self.pace.note_size(job.work, size)
            return worker.room(size) > 0

        try:
            return packed_call(worker, "queue", number, job, quick=self.pace.is_quick(ref), fits=fits)
        except (ValueError, TypeError, RecursionError):
            self.pace.forget(ref)
            return b""


def ref_of(work: Work) -> str:
    """The workflow that it calls."""
    assert isinstance(work.body, Call)
    return work.body.ref
