"""Points and reasons of the inbox sweep."""

from __future__ import annotations

from datetime import date

import pytest

from dagrun.shipped_workflows.inbox_drive_sweep.items import Item
from dagrun.shipped_workflows.inbox_drive_sweep.ranking import Ranked, level, rank

TODAY = date(2026, 3, 2)


def note(text: str, line: int = 1) -> Item:
    return Item(kind="note", line=line, title=text, text=text)


def ranked(*items: Item) -> list[Ranked]:
    return rank(items, TODAY)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("pay by 2026-02-27", "3 days overdue"),
        ("pay by 2026-03-02", "due today"),
        ("the server is down", "says is down"),
        ("could you call Bo", "asks you"),
        ("where is the key?", "question to you"),
    ],
)
def test_points_have_a_reason(text: str, reason: str) -> None:
    (entry,) = ranked(note(text))
    assert entry.score > 0
    assert any(given.startswith(reason) for given in entry.reasons)


def test_a_calm_remark_lowers_the_score_but_never_below_0() -> None:
    (entry,) = ranked(note("urgent, but no rush"))
    assert entry.score == 0
    assert 'says "no rush"' in entry.reasons


def test_noise_is_last_whatever_it_says() -> None:
    newsletter = note("URGENT newsletter: last chance, reply today")
    entries = ranked(newsletter, note("tidy the desk", 2))
    assert [level(entry) for entry in entries] == ["other", "noise"]


def test_equal_scores_keep_the_order_of_the_input() -> None:
    assert [entry.item.line for entry in ranked(note("b", 1), note("a", 2))] == [1, 2]


def test_a_file_that_a_mail_names_gets_a_share_of_its_points() -> None:
    file = Item(kind="file", line=1, title="plans/kitchen.pdf")
    scores = {entry.item.kind: entry.score for entry in ranked(file, note("check kitchen.pdf ASAP", 7))}
    assert 0 < scores["file"] < scores["note"]
