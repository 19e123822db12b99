"""Schedules for tests, and a store of accounts that does what claim files do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from dagrun.scheduling.cron import parse
from dagrun.scheduling.due import decide
from dagrun.scheduling.schedule import (
    Decision,
    DueFire,
    Schedule,
    SkippedFires,
    Watermark,
    WatermarkMoved,
    minute_number,
)
from dagrun.scheduling.timetable import Timetable
from dagrun.scheduling.timezones import zone


def schedule(cron: str = "*/5 * * * *", timezone: str = "UTC", **more: Any) -> Schedule:
    fields: dict[str, Any] = {"id": "ops", "dag": "ops.yaml", **more}
    for bound in ("start", "end"):
        if isinstance(fields.get(bound), str):
            fields[bound] = minute_number(fields[bound])
    return Schedule(timetable=Timetable(parse(cron), zone(timezone)), **fields)


def at(text: str) -> float:
    """A moment of 20 November 2026, `10:00:30`, or of another day, `2026-11-19 10:00`."""
    return (
        datetime.fromisoformat(text if "-" in text else f"2026-11-20 {text}").replace(tzinfo=UTC).timestamp()
    )


def summaries(decisions: list[Decision]) -> list[str]:
    """Decisions as short text, without the day."""
    return [_summary(decision) for decision in decisions]


def _summary(decision: Decision) -> str:
    match decision:
        case DueFire():
            return f"{'catch up' if decision.caught_up else 'fire'} {decision.minute[11:]}"
        case SkippedFires():
            return f"{decision.reason} {decision.count}: {decision.first[11:]}-{decision.last[11:]}"
        case WatermarkMoved():
            return f"seen {decision.minute[11:]} {'enabled' if decision.watermark.enabled else 'disabled'}"


class Store:
    """Accounts by schedule, and all that was ever recorded."""

    def __init__(self) -> None:
        self.accounts: dict[str, Watermark] = {}
        self.recorded: list[Decision] = []

    def look(self, one: Schedule, now: float, most: int | None = None) -> list[Decision]:
        """Decide and record; with `most` the scheduler is killed after that many lines."""
        decisions = decide(one, self.accounts.get(one.id), now)[:most]
        for decision in decisions:
            self.accounts[one.id] = decision.watermark
            self.recorded.append(decision)
        return decisions
