"""Which fires are due, missed or skipped, and when to look at which schedule."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagrun.scheduling.cron import Cron
from dagrun.scheduling.due import FireQueue, decide, decide_minute, parse_timing, retire
from dagrun.scheduling.schedule import (
    Catchup,
    DueFire,
    Schedule,
    SkippedFires,
    Watermark,
    WatermarkMoved,
    minute_number,
    minute_text,
)
from dagrun.scheduling.timetable import Timetable
from dagrun.value import replace
from tests.unit.scheduling.harness import Store, at, schedule, summaries

NINE = Watermark("2026-11-20 09:00")


# --- on time -----------------------------------------------------------------------------------------------


def test_a_schedule_that_is_seen_first_fires_in_its_minute_and_not_for_what_was_before() -> None:
    assert summaries(decide(schedule(), None, at("10:00:59.9"))) == ["seen 09:59 enabled", "fire 10:00"]
    assert summaries(decide(schedule(), None, at("10:01"))) == ["seen 10:00 enabled"]


def test_a_fire_is_on_time_throughout_its_minute_and_is_not_decided_twice() -> None:
    before = Watermark("2026-11-20 09:55")
    assert summaries(decide(schedule(), before, at("09:59:59.999"))) == []
    assert summaries(decide(schedule(), before, at("10:00"))) == ["fire 10:00"]
    assert summaries(decide(schedule(), before, at("10:00:59.999"))) == ["fire 10:00"]
    assert summaries(decide(schedule(), Watermark("2026-11-20 10:00"), at("10:00:30"))) == []


def test_a_clock_that_was_put_back_fires_nothing_twice() -> None:
    assert decide(schedule(), Watermark("2026-11-20 12:00"), at("10:00")) == []
    assert decide(schedule(), Watermark("2027-11-20 12:00"), at("10:00")) == []


def test_a_clock_that_was_put_ahead_has_missed_what_lies_between() -> None:
    assert summaries(decide(schedule(), NINE, at("10:00"))) == ["Missed 11: 09:05-09:55", "fire 10:00"]


# --- missed ------------------------------------------------------------------------------------------------


def test_what_was_missed_is_one_record() -> None:
    (skip,) = decide(schedule(), Watermark("2026-11-19 23:50"), at("10:02"))
    assert isinstance(skip, SkippedFires)
    assert (skip.count, skip.first, skip.last) == (122, "2026-11-19 23:55", "2026-11-20 10:00")
    assert (skip.minute, skip.watermark) == ("2026-11-20 10:00", schedule().watermark_at("2026-11-20 10:00"))


def test_nothing_is_recorded_when_nothing_was_missed() -> None:
    assert decide(schedule("0 12 * * *"), NINE, at("10:02")) == []


def test_the_latest_is_made_up_for_and_the_others_are_recorded() -> None:
    one = schedule(catchup=Catchup.LATEST)
    assert summaries(decide(one, NINE, at("09:12"))) == ["Missed 1: 09:05-09:05", "catch up 09:10"]
    assert summaries(decide(one, NINE, at("09:07"))) == ["catch up 09:05"]
    assert summaries(decide(one, NINE, at("09:15"))) == [
        "Missed 1: 09:05-09:05",
        "catch up 09:10",
        "fire 09:15",
    ]


def test_all_are_made_up_for_in_order() -> None:
    one = schedule(catchup=Catchup.ALL)
    assert summaries(decide(one, NINE, at("09:15"))) == ["catch up 09:05", "catch up 09:10", "fire 09:15"]


@pytest.mark.parametrize("catchup", [Catchup.LATEST, Catchup.ALL])
def test_what_lies_before_the_window_is_recorded_only(catchup: Catchup) -> None:
    one = schedule("*/10 * * * *", catchup=catchup, catchup_window=600)
    assert summaries(decide(one, NINE, at("09:20:00"))) == ["catch up 09:10", "fire 09:20"]
    assert summaries(decide(one, NINE, at("09:20:01"))) == ["Missed 1: 09:10-09:10", "fire 09:20"]
    assert summaries(decide(one, NINE, at("09:32"))) == ["Missed 2: 09:10-09:20", "catch up 09:30"]


@pytest.mark.parametrize("catchup", [Catchup.LATEST, Catchup.ALL])
def test_a_window_of_nothing_leaves_what_is_on_time_alone(catchup: Catchup) -> None:
    one = schedule(catchup=catchup, catchup_window=0)
    assert summaries(decide(one, NINE, at("09:15:30"))) == ["Missed 2: 09:05-09:10", "fire 09:15"]


def test_without_a_word_nothing_older_than_a_day_is_made_up_for() -> None:
    (old, latest) = decide(
        schedule("0 12 * * *", catchup=Catchup.ALL), Watermark("2026-11-10 12:00"), at("11:00")
    )
    assert isinstance(old, SkippedFires)
    assert isinstance(latest, DueFire)
    assert (old.count, old.last, latest.minute) == (8, "2026-11-18 12:00", "2026-11-19 12:00")


def test_a_year_of_minutes_is_counted_not_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = 0
    real = Timetable.first

    def counted(self: Timetable, minute: int) -> int | None:
        nonlocal steps
        steps += 1
        return real(self, minute)

    monkeypatch.setattr(Timetable, "first", counted)
    every = schedule("* * * * *", "Europe/Berlin", catchup=Catchup.LATEST)
    missed, latest, now = decide(every, Watermark("2025-11-20 09:59"), at("10:00"))
    assert isinstance(missed, SkippedFires)
    assert missed.count == 525_599
    assert (latest.minute, now.minute) == ("2026-11-20 09:59", "2026-11-20 10:00")
    assert steps < 10


# --- disabled ----------------------------------------------------------------------------------------------


def test_a_disabled_schedule_is_noted_once_and_then_left_alone() -> None:
    off = schedule(enabled=False)
    assert summaries(decide(off, None, at("10:00"))) == ["seen 09:59 disabled"]
    assert summaries(decide(off, NINE, at("09:02"))) == ["seen 09:01 disabled"]
    assert decide(off, Watermark("2026-11-20 09:01", enabled=False), at("2026-12-24 10:00")) == []


def test_fires_skipped_while_disabled_are_recorded_when_it_is_enabled() -> None:
    off = Watermark("2026-11-20 09:01", enabled=False)
    on = schedule(catchup=Catchup.ALL)
    assert summaries(decide(on, off, at("09:15"))) == ["Disabled 2: 09:05-09:10", "fire 09:15"]
    assert summaries(decide(on, off, at("09:03"))) == ["seen 09:02 enabled"]


def test_what_was_missed_before_anybody_saw_it_disabled_was_missed() -> None:
    off = schedule(enabled=False, catchup=Catchup.ALL)
    assert summaries(decide(off, NINE, at("09:12"))) == ["Missed 2: 09:05-09:10", "seen 09:11 disabled"]


def test_disabled_and_enabled_again_within_a_minute_that_has_fired() -> None:
    fired = Watermark("2026-11-20 10:00")
    off = schedule(enabled=False)
    (seen,) = decide(off, fired, at("10:00:20"))
    assert seen == WatermarkMoved(schedule=off, watermark=off.watermark_at("2026-11-20 10:00"))
    assert summaries(decide(schedule(), seen.watermark, at("10:00:40"))) == ["seen 10:00 enabled"]


def test_switching_while_the_clock_is_behind_the_account() -> None:
    assert summaries(decide(schedule(enabled=False), Watermark("2026-11-20 12:00"), at("10:00"))) == [
        "seen 12:00 disabled"
    ]


# --- definitions -------------------------------------------------------------------------------------------


def test_the_timing_of_a_schedule_is_written_and_read() -> None:
    one = schedule("*/5  1 * * MON", "Europe/Berlin", start="2026-11-20 10:05", end="2026-11-20 12:00")
    assert one.timing == "*/5 1 * * MON|Europe/Berlin|29919485|29919600"
    assert parse_timing(one.timing) == (
        schedule("*/5 1 * * MON", "Europe/Berlin").timetable,
        one.start,
        one.end,
    )
    assert schedule("0 9 * * *").timing == "0 9 * * *"
    for unreadable in ("", "61 * * * *", "0 9 * * *|Mars", "0 9 * * *|UTC|soon"):
        assert parse_timing(unreadable) is None


def test_what_was_missed_before_an_edit_is_counted_as_it_was_and_not_made_up_for() -> None:
    before = schedule("*/30 * * * *", catchup=Catchup.ALL).watermark_at("2026-11-20 09:00")
    edited = schedule("*/5 * * * *", catchup=Catchup.ALL)
    assert summaries(decide(edited, before, at("10:05"))) == [
        "Missed 2: 09:30-10:00",
        "seen 10:04 enabled",
        "fire 10:05",
    ]
    (missed, *_) = decide(edited, before, at("10:05"))
    assert missed.watermark == replace(before, minute="2026-11-20 10:00")  # a crash here loses nothing
    assert summaries(decide(edited, missed.watermark, at("10:05"))) == ["seen 10:04 enabled", "fire 10:05"]


def test_a_definition_that_cannot_be_read_any_more_counts_nothing() -> None:
    before = replace(schedule().watermark_at("2026-11-20 09:00"), timing="0 9 * * *|Mars")
    assert summaries(decide(schedule(catchup=Catchup.ALL), before, at("10:05"))) == [
        "seen 10:04 enabled",
        "fire 10:05",
    ]


def test_a_schedule_that_was_removed_counts_from_now() -> None:
    (gone,) = retire(schedule(), NINE, at("09:07"))
    assert (gone.minute, gone.watermark.is_removed) == ("2026-11-20 09:06", True)
    assert retire(schedule(), gone.watermark, at("11:00")) == []
    assert summaries(decide(schedule(catchup=Catchup.ALL), gone.watermark, at("10:05"))) == [
        "seen 10:04 enabled",
        "fire 10:05",
    ]


def test_many_decisions_are_taken_some_at_a_time() -> None:
    one, watermark, found = schedule("* * * * *", catchup=Catchup.ALL), NINE, []
    while decisions := decide(one, watermark, at("09:30"), most=7):
        assert len(decisions) <= 8
        found += summaries(decisions)
        watermark = decisions[-1].watermark
    assert found == [*(f"catch up 09:{minute:02d}" for minute in range(1, 30)), "fire 09:30"]


# --- bounds ------------------------------------------------------------------------------------------------


def test_a_fire_out_of_bounds_is_recorded_in_its_minute() -> None:
    late = schedule(start="2026-11-20 10:05")
    assert summaries(decide(late, NINE, at("10:00")))[-1] == "OutOfBounds 1: 10:00-10:00"
    assert summaries(decide(late, Watermark("2026-11-20 10:00"), at("10:05"))) == ["fire 10:05"]
    over = schedule(end="2026-11-20 10:05")
    assert summaries(decide(over, Watermark("2026-11-20 10:00"), at("10:05"))) == ["fire 10:05"]
    assert summaries(decide(over, Watermark("2026-11-20 10:05"), at("10:10"))) == [
        "OutOfBounds 1: 10:10-10:10"
    ]


def test_what_was_missed_is_parted_at_the_bounds() -> None:
    one = schedule(start="2026-11-20 09:07", end="2026-11-20 09:22", catchup=Catchup.LATEST)
    assert summaries(decide(one, NINE, at("09:36"))) == [
        "OutOfBounds 1: 09:05-09:05", "Missed 2: 09:10-09:15", "catch up 09:20", "OutOfBounds 3: 09:25-09:35",
    ]  # fmt: skip
    until_twenty = schedule(end="2026-11-20 09:20")
    assert summaries(decide(until_twenty, NINE, at("09:26"))) == [
        "Missed 4: 09:05-09:20",
        "OutOfBounds 1: 09:25-09:25",
    ]
    assert summaries(decide(one, Watermark("2026-11-20 09:30"), at("09:36"))) == [
        "OutOfBounds 1: 09:35-09:35"
    ]
    assert summaries(decide(one, Watermark("2026-11-19 09:30"), at("2026-11-19 09:41"))) == [
        "OutOfBounds 2: 09:35-09:40"
    ]


# --- one minute asked for ----------------------------------------------------------------------------------


def test_one_minute_asked_for_by_name() -> None:
    fire = decide_minute(schedule(), "2026-01-01 00:05")
    assert isinstance(fire, DueFire)
    assert fire.minute == "2026-01-01 00:05"
    assert decide_minute(schedule(), "2026-01-01 00:06") is None
    off = decide_minute(schedule(enabled=False), "2026-01-01 00:05")
    assert isinstance(off, SkippedFires)
    assert summaries([off]) == ["Disabled 1: 00:05-00:05"]
    out = decide_minute(schedule(end="2025-12-31 00:00"), "2026-01-01 00:05")
    assert isinstance(out, SkippedFires)
    assert summaries([out]) == ["OutOfBounds 1: 00:05-00:05"]


# --- the queue --------------------------------------------------------------------------------------------


def names(found: list[Schedule]) -> list[str]:
    return [one.id for one in found]


def test_every_schedule_is_looked_at_first_and_then_when_it_is_due() -> None:
    queue = FireQueue(
        [schedule("0 * * * *", id="hourly"), schedule(id="five"), schedule(id="off", enabled=False)]
    )
    assert queue.next_at() == -math.inf
    assert sorted(names(queue.due(at("09:58")))) == ["five", "hourly", "off"]
    assert queue.next_at() == at("10:00")
    assert queue.due(at("09:59:59.999")) == []
    assert names(queue.due(at("10:00"))) == ["five", "hourly"]
    assert queue.due(at("10:00:01")) == []
    assert names(queue.due(at("10:07"))) == ["five"]
    assert queue.next_at() == at("10:10")


def test_a_clock_that_is_put_back_is_waited_for() -> None:
    queue = FireQueue([schedule()])
    queue.due(at("10:00"))
    assert queue.due(at("09:00")) == []
    assert queue.due(at("10:04:59")) == []
    assert names(queue.due(at("10:05"))) == ["ops"]


def test_a_reload_looks_at_what_is_new_or_changed_and_leaves_the_rest() -> None:
    same, old, gone = schedule(id="same"), schedule(id="changed"), schedule(id="gone")
    queue = FireQueue([same, old, gone])
    queue.due(at("10:01"))
    queue.replace([schedule(id="same"), schedule(id="changed", tenant="other"), schedule(id="new")])
    assert list(queue.schedules) == ["same", "changed", "new"]
    found = queue.due(at("10:02"))
    assert sorted(names(found)) == ["changed", "new"]
    assert next(one for one in found if one.id == "changed").tenant == "other"
    assert sorted(names(queue.due(at("10:05")))) == ["changed", "new", "same"]
    assert "gone" not in names(queue.due(at("11:00")))


def test_a_schedule_that_could_not_be_recorded_is_looked_at_again() -> None:
    queue = FireQueue([schedule(id="one"), schedule(id="two")])
    queue.due(at("10:00"))
    queue.look_again("one")
    queue.look_again("one")
    queue.look_again("nobody")
    assert queue.next_at() == -math.inf
    assert names(queue.due(at("10:00:01"))) == ["one"]
    assert queue.due(at("10:00:02")) == []


def test_an_agenda_of_nothing_has_nothing_to_wait_for() -> None:
    assert FireQueue().next_at() is None
    assert FireQueue().due(at("10:00")) == []
    off = FireQueue([schedule(enabled=False)])
    assert len(off.due(at("10:00"))) == 1
    assert off.next_at() is None


def test_a_tick_at_which_nothing_is_due_looks_at_no_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = FireQueue([schedule("0 12 * * *", id=f"s{i}") for i in range(1000)])
    assert len(queue.due(at("10:00"))) == 1000
    for name in ("first", "last", "count"):
        monkeypatch.setattr(Cron, name, None)
    for second in range(1000):
        assert queue.due(at("10:00") + second) == []


def test_a_tick_costs_as_much_as_there_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = FireQueue(
        [schedule("0 12 * * *", id=f"s{i}") for i in range(1000)] + [schedule(id=f"due{i}") for i in range(3)]
    )
    queue.due(at("10:01"))
    asked = 0
    real = Timetable.next_after

    def counted(self: Timetable, moment: float) -> float | None:
        nonlocal asked
        asked += 1
        return real(self, moment)

    monkeypatch.setattr(Timetable, "next_after", counted)
    assert len(queue.due(at("10:05"))) == 3
    assert asked == 3


# --- laws --------------------------------------------------------------------------------------------------

CRONS = ("* * * * *", "*/7 * * * *", "0 * * * *", "30 2 * * *", "15,45 1-3 * * *", "0 0 1 * MON")
START = minute_number("2026-10-24 00:00") * 60.0  # London puts its clocks back a day later

schedules = st.builds(
    schedule,
    st.sampled_from(CRONS),
    st.sampled_from(["UTC", "Europe/London"]),
    enabled=st.sampled_from([True, True, True, False]),
    catchup=st.sampled_from(list(Catchup)),
    catchup_window=st.sampled_from([0.0, 90.0, 3600.0, 86_400.0]),
    start=st.none() | st.integers(0, 3000).map(lambda minutes: int(START // 60) + minutes),
    end=st.none() | st.integers(0, 6000).map(lambda minutes: int(START // 60) + minutes),
    jitter=st.sampled_from([0.0, 120.0]),
)
#: Seconds that pass before the next look, mostly a tick; a clock may be put back.
steps = st.one_of(
    st.sampled_from([1.0, 1.0, 20.0, 59.9, 60.0, 61.0]), st.floats(-7200, 7200), st.floats(0, 20_000)
)
events = st.tuples(
    steps,
    st.none() | schedules,  # a reload
    st.sampled_from([None, None, None, 0, 1, 2]),  # how many lines are written before the scheduler is killed
    st.integers(1, 3),  # how many schedulers look at this moment
)


@settings(deadline=None)  # a minutely schedule of some days has thousands of fires
@given(schedules, st.lists(events, max_size=15))
def test_whatever_happens_every_fire_is_accounted_for_exactly_once(
    one: Schedule, happenings: list[tuple[float, Schedule | None, int | None, int]]
) -> None:
    store, now, table, latest = Store(), START, one.timetable, START
    queue = FireQueue([one])
    for step, reloaded, most, schedulers in happenings:
        now += step
        latest = max(latest, now)
        if reloaded is not None:
            # The expression stays: what another one would have meant in the past is nobody's business.
            one = _with_table(reloaded, table)
            queue.replace([one])
        if most is not None:  # it is killed, perhaps halfway, and another one starts
            store.look(one, now, most)
            queue = FireQueue([one])
        for each in queue.due(now):
            for _ in range(schedulers):
                store.look(each, now)
    queue = FireQueue([one])
    for each in queue.due(latest):
        store.look(each, latest)
    _check_accounts(store, table)


def _with_table(one: Schedule, table: Timetable) -> Schedule:
    fields = {name: getattr(one, name) for name in Schedule.__dataclass_fields__}
    return Schedule(**{**fields, "timetable": table})


def _check_accounts(store: Store, table: Timetable) -> None:
    fired = Counter(decision.minute for decision in store.recorded if isinstance(decision, DueFire))
    assert not [minute for minute, times in fired.items() if times > 1]
    minutes = [decision.minute for decision in store.recorded]
    assert minutes == sorted(minutes)
    if not minutes:
        return
    first, last = minute_number(minutes[0]) + 1, minute_number(minutes[-1]) + 1
    if not store.accounts["ops"].enabled:
        last = (
            max(
                minute_number(one.minute)
                for one in store.recorded
                if one.watermark.enabled or one is store.recorded[0]
            )
            + 1
        )
    told_of: list[str] = []
    for decision in store.recorded:
        if isinstance(decision, DueFire):
            told_of.append(decision.minute)
        elif isinstance(decision, SkippedFires):
            inside = _fires(table, minute_number(decision.first), minute_number(decision.last) + 1)
            assert (len(inside), inside[0], inside[-1]) == (decision.count, decision.first, decision.last)
            told_of += inside
    assert [one for one in told_of if minute_number(one) < last] == _fires(table, first, last)


def _fires(table: Timetable, first: int, before: int) -> list[str]:
    found = []
    at = table.first(first)
    while at is not None and at < before:
        found.append(minute_text(at))
        at = table.first(at + 1)
    return found
