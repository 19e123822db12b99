"""Cron expressions: the values of each field, and the errors of invalid ones."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from croniter import croniter  # type: ignore[import-untyped]
from hypothesis import assume, given
from hypothesis import strategies as st

from dagrun.scheduling.cron import CronError, Days, parse
from tests.unit.scheduling.oracle import expressions

NOVEMBER_20 = datetime(2026, 11, 20, tzinfo=UTC)  # a Friday


def upcoming(text: str, number: int, start: datetime = NOVEMBER_20) -> list[str]:
    """The next matches on a clock without changes."""
    cron, local, found = parse(text), int(start.timestamp()) // 60, []
    for _ in range(number):
        match = cron.first(local)
        assert match is not None
        found.append(datetime.fromtimestamp(match * 60, UTC).strftime("%y-%m-%d %a %H:%M"))
        local = match + 1
    return found


def test_every_field_takes_lists_ranges_and_steps() -> None:
    assert parse("1,5-7,10-20/5 * * * *").times[:7] == (1, 5, 6, 7, 10, 15, 20)
    assert parse("0 1,5-7,10-20/5 * * *").times == (60, 300, 360, 420, 600, 900, 1200)
    assert parse("0 0 1,5-7,10-20/5 * *").days.text == "0 0 1,5,6,7,10,15,20 * *"
    assert parse("0 0 * 1,5-7,8-12/2 *").days.text == "0 0 * 1,5,6,7,8,10,12 *"
    assert parse("0 0 * * 1,3-5,0-6/3").days.text == "0 0 * * 0,1,3,4,5,6"


def test_names_go_wherever_numbers_go() -> None:
    assert parse("0 0 * jan,MAR-May *").days.text == "0 0 * 1,3,4,5 *"
    assert parse("0 0 * * Mon,wed-FRI/2").days.text == "0 0 * * 1,3,5"


@pytest.mark.parametrize("sunday", ["0", "7", "SUN", "7-7", "SUN-SUN", "sun,7"])
def test_sunday_is_zero_and_seven(sunday: str) -> None:
    assert parse(f"0 9 * * {sunday}").days.text == "0 0 * * 0"
    assert upcoming(f"0 9 * * {sunday}", 1) == ["26-11-22 Sun 09:00"]


@pytest.mark.parametrize(
    ("weekdays", "expected"), [("5-7", "0,5,6"), ("FRI-SUN", "0,5,6"), ("0-2", "0,1,2"), ("*/2", "0,2,4,6")]
)
def test_sunday_begins_a_range_and_ends_one(weekdays: str, expected: str) -> None:
    assert parse(f"0 0 * * {weekdays}").days.text == f"0 0 * * {expected}"


def test_a_range_of_one_value_is_that_value() -> None:
    assert parse("1-1 * * * *").times[:2] == (1, 61)
    assert parse("0 9-9 * * *").times == (540,)


def test_days_of_month_or_of_week_when_both_are_restricted() -> None:
    assert upcoming("0 0 1 * MON", 4) == [
        "26-11-23 Mon 00:00", "26-11-30 Mon 00:00", "26-12-01 Tue 00:00", "26-12-07 Mon 00:00",
    ]  # fmt: skip
    assert upcoming("0 0 1-31/10 * MON", 3) == [
        "26-11-21 Sat 00:00", "26-11-23 Mon 00:00", "26-11-30 Mon 00:00",
    ]  # fmt: skip
    assert upcoming("0 0 1 * 0-6", 2) == ["26-11-20 Fri 00:00", "26-11-21 Sat 00:00"]
    assert upcoming("0 0 30 2 MON", 1) == ["27-02-01 Mon 00:00"]


def test_a_field_that_starts_with_a_star_restricts_as_in_debians_cron_what_the_other_one_allows() -> None:
    assert upcoming("0 9 */2 * 1", 3) == ["26-11-23 Mon 09:00", "26-12-07 Mon 09:00", "26-12-21 Mon 09:00"]
    assert upcoming("0 9 13 * */5", 2) == ["26-12-13 Sun 09:00", "27-06-13 Sun 09:00"]
    assert upcoming("0 0 29 2 */6", 2) == ["32-02-29 Sun 00:00", "48-02-29 Sat 00:00"]
    with pytest.raises(CronError, match="it never matches: there is no day 30"):
        parse("0 0 30 2 */2")


@pytest.mark.parametrize(
    ("text", "alternative"),
    [
        ("0 9 */2 * 1", "for days that fit either, write '1-31/2'"),
        ("0 9 13 * */5", "for days that fit either, write '0-6/5'"),
        ("0 9 1-31/2 * 1", ""), ("0 9 */2 * *", ""), ("0 9 * * */2", ""), ("0 9 */1 * 1", ""), ("*/5 */2 1 * 1", ""),
    ],
)  # fmt: skip
def test_days_that_must_both_fit_come_with_advice(text: str, alternative: str) -> None:
    assert parse(text).alternative == alternative
    assert bool(parse(text).advice) == bool(alternative)


def test_one_restriction_alone_must_hold() -> None:
    assert upcoming("0 0 1 * *", 2) == ["26-12-01 Tue 00:00", "27-01-01 Fri 00:00"]
    assert upcoming("0 0 */1 * MON", 2) == ["26-11-23 Mon 00:00", "26-11-30 Mon 00:00"]


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("@hourly", "0 * * * *"), ("@daily", "0 0 * * *"), ("@midnight", "0 0 * * *"), ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"), ("@yearly", "0 0 1 1 *"), (" @Annually ", "0 0 1 1 *"),
    ],
)  # fmt: skip
def test_names_for_whole_expressions(name: str, same: str) -> None:
    assert (parse(name).times, parse(name).days.text) == (parse(same).times, parse(same).days.text)
    assert parse(name).fixed == parse(same).fixed


@pytest.mark.parametrize(
    ("text", "fixed"),
    [("0 2 * * *", True), ("0-59 2 * * *", True), ("*/15 2 * * *", False), ("0 */2 * * *", False), ("0,30 1-3 * * *", True)],
)  # fmt: skip
def test_a_job_has_fixed_times_unless_its_minute_or_hour_starts_with_a_star(text: str, fixed: bool) -> None:
    assert parse(text).fixed is fixed


def test_tabs_and_blanks_around_fields_do_not_matter() -> None:
    assert parse("  5\t9 *  * 1 ").times == (545,)


@pytest.mark.parametrize(
    ("text", "at", "message", "help_"),
    [
        ("* * * * * *", 10, "6 fields where cron has five: minute hour day-of-month month day-of-week",
         "seconds and years are not supported"),
        ("0 9 * *", 0, "4 fields where cron has five: minute hour day-of-month month day-of-week", ""),
        ("", 0, "0 fields where cron has five: minute hour day-of-month month day-of-week", ""),
        ("0 22-2 * * *", 2, "hour: the range '22-2' is reversed", "write '22-23,0-2' to continue from the start"),
        ("0 0 * * FRI-MON", 8, "day of week: the range 'FRI-MON' is reversed",
         "write 'FRI-SAT,SUN-MON' to continue from the start"),
        ("1,*/90 * * * *", 4, "minute: the step 90 is larger than the field, which has 60 values",
         "it matches only '0': write that, if it is meant"),
        ("0 */24 * * *", 4, "hour: the step 24 is larger than the field, which has 24 values",
         "it matches only '0': write that, if it is meant"),
        ("*/0 * * * *", 2, "minute: the step '0' must be a whole number, 1 or more", ""),
        ("*/x * * * *", 2, "minute: the step 'x' must be a whole number, 1 or more", ""),
        ("5/15 * * * *", 0, "minute: the step in '5/15' has no range", "write '5-59/15', or '5' alone"),
        ("60 * * * *", 0, "minute: 60 is not between 0 and 59", ""),
        ("0 24 * * *", 2, "hour: 24 is not between 0 and 23", ""),
        ("0 0 0 * *", 4, "day of month: 0 is not between 1 and 31", ""),
        ("0 0 * 13 *", 6, "month: 13 is not between 1 and 12", ""),
        ("0 0 * * 8", 8, "day of week: 8 is not between 0 and 7", ""),
        ("1,,2 * * * *", 2, "minute: an entry of a list is empty", ""),
        ("/5 * * * *", 0, "minute: '/5' has a step without a range", ""),
        ("1- * * * *", 2, "minute: a range has only one end", ""),
        ("0 0 30 2 *", 4, "it never matches: there is no day 30 in these months",
         "the longest of its months has 29 days"),
        ("0 0 31 4,6,sep,11 *", 4, "it never matches: there is no day 31 in these months",
         "the longest of its months has 30 days"),
        ("0 0 * * MONDAY", 8, "day of week: 'MONDAY' is not a valid value", "did you mean 'MON'?"),
        ("0 0 * SEPT *", 6, "month: 'SEPT' is not a valid value", "did you mean 'SEP'?"),
        ("0 0 * x *", 6, "month: 'x' is not a valid value", "write a number from 1 to 12, or a name: JAN, FEB, … DEC"),
        ("0 0 ٣ * *", 4, "day of month: '٣' is not a valid value", "write a number from 1 to 31"),
        ("0 0 ? * MON", 4, "day of month: '?' is not standard cron", "write '*'"),
        ("0 0 L * *", 4, "day of month: 'L' is not standard cron", "L, W and # are not supported; list the days"),
        ("0 0 15W * *", 4, "day of month: '15W' is not standard cron",
         "L, W and # are not supported; list the days"),
        ("0 0 * * fri#2", 8, "day of week: 'fri#2' is not standard cron",
         "L, W and # are not supported; list the days"),
        ("H * * * *", 0, "minute: 'H' is not standard cron", "to spread schedules, give them `jitter:`"),
        ("@dayly", 0, "'@dayly' is not a valid expression", "did you mean '@daily'?"),
        ("@reboot", 0, "'@reboot' is not a valid expression",
         "valid names are @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually"),
        ("@every 5m", 0, "'@every' is not standard cron",
         "write a step: '*/5 * * * *' is every five minutes"),
        ("CRON_TZ=Europe/London 0 9 * * *", 0, "the time zone has its own key", "write `timezone:` next to `cron:`"),
    ],
)  # fmt: skip
def test_what_is_refused_is_reported_with_its_place_and_an_alternative(
    text: str, at: int, message: str, help_: str
) -> None:
    with pytest.raises(CronError) as error:
        parse(text)
    assert (str(error.value), error.value.suggestion, error.value.offset) == (message, help_, at)


@given(st.text(st.sampled_from(list("0123456789*/,-@LW#? \tJANMONaé")), max_size=30) | st.text(max_size=30))
def test_any_text_is_an_expression_that_matches_or_refused(text: str) -> None:
    try:
        comes = parse(text).first(0) is not None
    except CronError as error:
        comes = 0 <= error.offset <= len(text)
    assert comes


@given(st.integers(0, 10**6), st.integers(0, 20_000 * 1440))
def test_what_is_read_is_what_croniter_reads_where_both_agree_on_the_grammar(seed: int, local: int) -> None:
    """Our lists, ranges and OR against croniter on the text as it was written."""
    (text,) = expressions(seed, 1)
    assume(not re.search(r"\b(\d+)-\1\b", text))  # `1-1` is every minute to croniter
    start = datetime(1970, 1, 1) + timedelta(minutes=local)  # noqa: DTZ001 - a clock without a zone
    either = not any(word.startswith("*") for word in text.split()[2::2])
    expected: Any = croniter(text, start, day_or=either).get_next(datetime)
    found = parse(text).first(local + 1)
    assert found is not None
    assert datetime(1970, 1, 1) + timedelta(minutes=found) == expected  # noqa: DTZ001


def test_each_distinct_expression_is_read_once() -> None:
    texts = [f"{i % 60} {i % 24} * * *" for i in range(10_000)]
    read = [parse(text) for text in texts]
    assert len({id(each) for each in read}) == len(set(texts)) == 120


def test_expressions_that_mean_the_same_days_share_their_calendar() -> None:
    assert parse("5 1 * * mon-fri").days is parse("7 2 * * 1,2,3,4,5").days
    assert parse("5 1 * * 1").times is parse("5 1 * * 2").times


@pytest.mark.parametrize(("ask", "step"), [(Days.first, "get_next"), (Days.last, "get_prev")])
def test_the_same_day_is_looked_up_once(
    monkeypatch: pytest.MonkeyPatch, ask: Callable[[Days, int], int | None], step: str
) -> None:
    looked_up = 0
    real = getattr(croniter, step)

    def counted(*args: Any, **more: Any) -> Any:
        nonlocal looked_up
        looked_up += 1
        return real(*args, **more)

    monkeypatch.setattr(croniter, step, counted)
    days = Days("1", "*", "*")
    assert len({ask(days, 20_000) for _ in range(1000)}) == 1
    assert looked_up == 1


def test_a_day_is_found_whatever_was_looked_up_before() -> None:
    def begins_a_month(day: int) -> bool:
        return (date(1970, 1, 1) + timedelta(day)).day == 1

    days, asked = Days("1", "*", "*"), range(20_000, 20_200)
    for day in (*asked, *reversed(asked)):
        assert days.first(day) == next(filter(begins_a_month, count(day)))
        assert days.last(day) == next(filter(begins_a_month, count(day, -1)))
