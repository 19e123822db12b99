"""Which workers get calls in advance: those that run very short bodies, and how many each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from dagrun.core.work import Call, Work
from dagrun.executors.local.attempts import RunningAttempt
from dagrun.executors.local.worker_handle import MAX_PREFETCHED, MAX_UNREAD, WorkerHandle, packed_call

TINY = 0.001  # seconds: calls of a workflow are prefetched if its bodies take no longer ...
TINY_BODIES = 8  # ... at least so many times in a row


class BodyStatistics:
    """How long the bodies of each workflow take, and how large its calls are."""

    def __init__(self) -> None:
        self._tiny: Counter[str] = Counter()  # how many bodies in a row were tiny
        self._sizes: dict[str, int] = {}  # bytes of the last call that was packed to be prefetched

    def add_duration(self, work: Work, seconds: float) -> None:
        """A body has ended."""
        ref = ref_of(work)
        is_tiny = seconds <= TINY and not work.masks  # after a body with secrets the worker is replaced
        self._tiny[ref] = self._tiny[ref] + 1 if is_tiny else 0

    def add_size(self, work: Work, size: int) -> None:
        """A call has been packed."""
        self._sizes[ref_of(work)] = size

    def reset(self, ref: str) -> None:
        """Prefetch no calls of this workflow before its bodies have been tiny again for a while."""
        self._tiny[ref] = 0

    def is_quick(self, ref: str) -> bool:
        """Whether the last bodies of the workflow were all tiny."""
        return self._tiny[ref] >= TINY_BODIES

    def expected_size(self, ref: str) -> int:
        """Bytes that the next call may have."""
        return self._sizes.get(ref, 1)


class Prefetcher:
    """Assigns calls to workers in advance."""

    def __init__(self, statistics: BodyStatistics) -> None:
        self.statistics = statistics

    def room(self, ref: str, workers: Iterable[WorkerHandle]) -> int:
        """How many calls of this workflow can be assigned now; 0 until half of the room is free, so that they come in batches."""
        if not self.statistics.is_quick(ref):
            return 0
        candidates, size = self._candidates(workers), self.statistics.expected_size(ref)
        free = sum(worker.room(size) for worker in candidates)
        return free if 2 * free >= min(MAX_PREFETCHED, MAX_UNREAD // size) * len(candidates) else 0

    def is_candidate(self, worker: WorkerHandle) -> bool:
        """Whether the worker runs a tiny body, so that it can be given more of them in advance."""
        current = worker.current
        return (
            current is not None
            and not worker.retire
            and not worker.is_slow
            and current.stop_signal is None
            and self.statistics.is_quick(ref_of(current.work))
        )

    def assign(self, attempts: Sequence[tuple[int, RunningAttempt]], workers: Iterable[WorkerHandle]) -> int:
        """Send numbered attempts, each to the worker with the fewest; returns how many of them found room."""
        candidates = self._candidates(workers)
        calls: dict[int, list[tuple[int, bytes]]] = {worker.pid: [] for worker in candidates}
        assigned = 0
        for number, attempt in attempts:
            worker = min(candidates, key=lambda worker: len(worker.prefetched), default=None)
            data = b"" if worker is None else self._packed(worker, number, attempt)
            if worker is None or not data:
                break
            worker.add(number, attempt, len(data))
            calls[worker.pid].append((number, data))
            assigned += 1
        for worker in candidates:
            if its := calls[worker.pid]:
                worker.send_prefetched([number for number, _ in its], [data for _, data in its])
        return assigned

    def _candidates(self, workers: Iterable[WorkerHandle]) -> list[WorkerHandle]:
        return [*filter(self.is_candidate, workers)]

    def _packed(self, worker: WorkerHandle, number: int, attempt: RunningAttempt) -> bytes:
        """The bytes of a call. None if there is no room for it, or if it cannot be packed: `start` then reports why."""
        ref = ref_of(attempt.work)

        def fits(size: int) -> bool:
            self.statistics.add_size(attempt.work, size)
            return worker.room(size) > 0

        try:
            quick = self.statistics.is_quick(ref)
            return packed_call(worker, "prefetch", number, attempt, quick=quick, fits=fits)
        except (ValueError, TypeError, RecursionError):
            self.statistics.reset(ref)
            return b""


def ref_of(work: Work) -> str:
    """The workflow that the body calls."""
    assert isinstance(work.body, Call)
    return work.body.ref
