"""Claims: one file per schedule, whose last line has the watermark, whatever a crash left in it."""

from __future__ import annotations

import json
import multiprocessing
import threading
from pathlib import Path

import pytest

from dagrun.errors import RecordError
from dagrun.scheduling.claims import Claim, Claims, ClaimState
from dagrun.scheduling.schedule import Watermark
from tests.unit.scheduling.world import START, BrokenDisk, World, schedule

NINE, TEN, ELEVEN = (f"2026-11-20 {hour}:00" for hour in ("09", "10", "11"))


@pytest.fixture
def claims(tmp_path: Path) -> Claims:
    return Claims(tmp_path)


def claim(claims: Claims, minute: str, run_id: str = "r", *, asked: bool = False) -> bool:
    with claims.hold("job") as held:
        may = held.may_fire(minute, asked=asked)
        if may:
            held.append(Claim(Watermark(minute), run_id=run_id), asked=asked)
        return may


def test_a_minute_is_claimed_once(claims: Claims) -> None:
    assert claim(claims, TEN)
    assert not claim(claims, TEN)
    assert not claim(claims, NINE)
    assert claim(claims, ELEVEN)


def test_the_last_line_is_how_far_a_schedule_has_got(claims: Claims) -> None:
    assert claims.state("job") == ClaimState()
    claim(claims, NINE, "first")
    with claims.hold("job") as held:
        held.append(Claim(Watermark(TEN), reason="Overlap"))
    assert claims.state("job") == ClaimState(Watermark(TEN), "", "first")
    with claims.hold("job") as held:
        held.append(Claim(Watermark(ELEVEN, enabled=False)))
    assert claims.state("job").watermark == Watermark(ELEVEN, enabled=False)


def test_a_claim_is_one_line_with_its_time_first(claims: Claims) -> None:
    with claims.hold("job", START) as held:
        held.append(Claim(Watermark(NINE), run_id="r"))
    assert claims.path("job").read_text() == (
        '{"timestamp":"2026-11-20T12:00:00.000Z","event":"claim","minute":"2026-11-20 09:00","run_id":"r"}\n'
    )


def test_a_minute_that_was_named_moves_no_watermark(claims: Claims) -> None:
    claim(claims, TEN)
    assert claim(claims, NINE, asked=True)
    assert claims.state("job").watermark == Watermark(TEN)
    assert not claim(claims, NINE, asked=True)
    assert not claim(claims, TEN, asked=True)


def test_a_minute_that_was_named_ahead_of_its_time_is_remembered_until_it_has_come(claims: Claims) -> None:
    claim(claims, NINE)
    assert claim(claims, ELEVEN, asked=True)
    assert claim(claims, TEN)
    assert claims.state("job").ahead == ELEVEN
    assert not claim(claims, ELEVEN)
    with claims.hold("job") as held:
        held.append(Claim(Watermark(ELEVEN)))
    assert claims.state("job").ahead == ""


@pytest.mark.parametrize(
    "rubbish", [b'{"timestamp":"2026', b"\0" * 9000, b"]]\n", b'{"minute":"never"}\n', b"{" * 5000 + b"\n"]
)
def test_torn_and_corrupt_lines_hide_nothing(claims: Claims, rubbish: bytes) -> None:
    claim(claims, NINE)
    with claims.path("job").open("ab") as file:
        file.write(rubbish)
    assert claims.state("job").settled_until == NINE
    assert not claim(claims, NINE)
    assert claim(claims, TEN)
    assert claims.state("job").settled_until == TEN
    assert claims.find("job", NINE) is not None


def test_the_watermark_is_found_without_reading_a_long_history(claims: Claims) -> None:
    line = json.dumps({"timestamp": "", "event": "claim", "minute": NINE, "run_id": "x" * 100}) + "\n"
    claims.path("job").write_text(line * 50_000)
    claim(claims, TEN)
    assert claims.state("job").settled_until == TEN


def test_ids_that_differ_in_case_have_files_of_their_own(claims: Claims) -> None:
    assert claims.path("Job") != claims.path("job")
    assert claims.path("x" * 128).name.endswith(".jsonl")


def test_of_many_threads_one_gets_the_claim(claims: Claims) -> None:
    start, won = threading.Barrier(8), []

    def compete(n: int) -> None:
        for minute in range(30):
            start.wait()
            if claim(claims, f"2026-11-20 10:{minute:02d}", f"{n}"):
                won.append(minute)

    threads = [threading.Thread(target=compete, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == list(range(30))


def test_a_claim_records_the_definition_that_was_in_force(claims: Claims) -> None:
    watermark = Watermark(
        NINE, enabled=False, timing="0 9 * * *|Europe/Berlin", fingerprint="12345678", is_removed=True
    )
    with claims.hold("job") as held:
        held.append(Claim(watermark))
    assert claims.state("job") == ClaimState(watermark)
    claim(claims, ELEVEN, asked=True)
    assert claims.state("job").watermark == watermark


def test_a_reset_lowers_the_watermark_and_forgets_no_run(claims: Claims) -> None:
    claim(claims, NINE, "first")
    claim(claims, ELEVEN, "last")
    with claims.hold("job") as held:
        held.reset("2026-11-20 09:30")
    assert claims.state("job") == ClaimState(Watermark("2026-11-20 09:30"), ELEVEN, "last")
    assert not claim(claims, NINE)
    assert claim(claims, TEN)
    assert not claim(claims, ELEVEN)
    assert claim(claims, "2026-11-20 11:01")
    assert claims.state("job").ahead == ""


def test_the_runs_that_were_claimed_later_are_found_from_the_end(claims: Claims) -> None:
    for minute, run_id in ((NINE, "a"), (TEN, "b"), (ELEVEN, "c")):
        claim(claims, minute, run_id)
    assert claims.newer("job", "a") == ["c", "b"]
    assert claims.newer("job", "c") == []
    assert claims.newer("job", "gone") == []
    assert claims.newer("nobody", "a") == []


def race(directory: Path, rounds: int, start: object) -> None:
    """One of several processes: each round a tick at the same instant, every other one for a minute that was named."""
    from tests.unit.scheduling.world import Site

    world = World()
    jobs = [schedule(f"job{n}", "* * * * *", dag="1") for n in range(4)]
    site = Site(directory, *jobs, world=world)
    scheduler = site.scheduler()
    minute = "2026-11-20 {:02d}:{:02d}"
    for turn in range(rounds):
        world.now = START + turn * 60
        start.wait()  # type: ignore[attr-defined]
        scheduler.once(world.now, minute.format(12 + turn // 60, turn % 60) if turn % 2 else None)
    scheduler.close()
    text = "".join(f"{run.schedule_id} {run.minute}\n" for run in world.runs.values())
    (directory / f"fired-{scheduler.lock.name}").write_text(text)


def compete(directory: Path, rounds: int, count: int = 8) -> list[str]:
    """The fires of so many processes in so many rounds."""
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(count)
    processes = [context.Process(target=race, args=(directory, rounds, start)) for _ in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(300)
        assert process.exitcode == 0
    return [line for path in directory.glob("fired-*") for line in path.read_text().splitlines()]


def all_fires(rounds: int) -> list[str]:
    """Each of four schedules once a round."""
    return [
        f"job{n} 2026-11-20 {12 + turn // 60}:{turn % 60:02d}" for n in range(4) for turn in range(rounds)
    ]


@pytest.mark.slow
def test_of_several_schedulers_at_the_same_instant_one_fires(tmp_path: Path) -> None:
    assert sorted(compete(tmp_path, rounds=10, count=3)) == sorted(all_fires(10))


def test_a_claim_that_the_disk_does_not_confirm_is_not_made(
    claims: Claims, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim(claims, NINE)
    before = claims.path("job").read_bytes()
    BrokenDisk(monkeypatch, errors=1)
    with claims.hold("job", 0.0) as held:
        with pytest.raises(RecordError, match="Input/output error"):
            held.append(Claim(Watermark(TEN), run_id="lost"))
        assert claims.path("job").read_bytes() == before
        assert held.may_fire(TEN)
        held.append(Claim(Watermark(TEN), run_id="made"))
    assert claims.state("job").run_id == "made"
