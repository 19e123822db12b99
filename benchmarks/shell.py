"""Shell tasks that run `true`: what one more costs, and what all cost together."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks.measure import Row, Spread, beyond, turns
from benchmarks.place import NotDone, Place, chain, document

ACTION = "run: 'true'"


def shell(place: Place) -> Iterator[Row]:
    """Two and sixteen at once against xargs, a chain against a loop."""
    tasks = place.sized(1_000)
    many = place.write("wide.yaml", document(tasks, ACTION))
    for workers in (2, 16):
        yield from _rows(
            place,
            f"{tasks:,} shell tasks, {workers} at once",
            (1.5, f"`xargs -P {workers}` of `sh -c true`"),
            place.running(many, tasks, workers),
            _xargs(place, tasks, workers),
            _xargs(place, 1, workers),
        )
    tasks = place.sized(200)
    many = place.write("chain.yaml", document(tasks, ACTION, chain(tasks)))
    yield from _rows(
        place,
        f"{tasks:,} chained shell tasks",
        (1.8, "an `os.posix_spawn` loop of `sh -c true`"),
        place.running(many, tasks),
        place.other("spawn", tasks, does=tasks),
        place.other("spawn", 1, does=1),
    )


def _rows(
    place: Place,
    work: str,
    goal: tuple[float, str],
    dagrun: Callable[[], float],
    floor: Callable[[], float],
    floor_one: Callable[[], float],
) -> Iterator[Row]:
    one = place.write("one.yaml", document(1, ACTION))
    rounds = turns(place.runs, dagrun, floor, place.running(one, 1), floor_one)
    limit, against = goal
    yield Row(
        work=f"one more of {work}",
        goal=limit,
        against=against,
        measured=Spread.of(beyond(ours, one) / beyond(theirs, alone) for ours, theirs, one, alone in rounds),
    )
    yield Row(
        work=f"the whole command, {work}",
        against=against,
        measured=Spread.of(ours / theirs for ours, theirs, _, _ in rounds),
    )


def _xargs(place: Place, tasks: int, workers: int) -> Callable[[], float]:
    command = ["xargs", "-P", str(workers), "-I{}", "sh", "-c", "{}"]
    # `true` says nothing, so that each line becomes one shell is seen once, by other lines.
    seen = place.process(*command, stdin=place.write(f"echo.{tasks}", "echo\n" * tasks)).out
    if seen.count("\n") != tasks:
        raise NotDone(f"xargs ran {seen.count(chr(10))} of {tasks} shells")
    true = place.write(f"true.{tasks}", "true\n" * tasks)
    return lambda: place.process(*command, stdin=true).seconds
