"""The kind `wait`: a task that waits for a time, a file or a signal, and occupies nothing meanwhile."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, ClassVar, Final, Literal

from dagrun.core.model import NAME_RULE, Action, ActionText, TemplateText, is_name
from dagrun.kinds.kind import Kind, StartContext, Wait, located
from dagrun.language.expressions import EvaluationError
from dagrun.language.expressions.times import find_zone
from dagrun.value import Value

_TIME: Final = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?")


class WaitAction(Value, Action, kw_only=True):
    """Wait for the one of the first four that is given. Durations are in seconds."""

    seconds: float | None = None
    until: str | None = None
    file: str | None = None
    signal_name: str | None = None
    timezone: str = "UTC"
    settle: float = 0.0
    timeout: float | None = None
    kind: Literal["wait"] = "wait"
    holds_slot: ClassVar[bool] = False

    @property
    def has_moment(self) -> bool:
        """Whether it waits for a moment that the document names."""
        return self.until is not None

    @property
    def signal(self) -> str | None:
        """The name of the signal that it waits for."""
        return self.signal_name

    def texts(self) -> Sequence[ActionText]:
        found = (
            ("until", self.until),
            ("timezone", self.timezone),
            ("file", self.file),
            ("signal", self.signal_name),
        )
        return tuple(
            TemplateText(("wait", word), text) for word, text in found if text is not None and "${{" in text
        )


def moment_of(text: str, zone: str, now: float) -> float:
    """The moment that a text describes, in seconds since the epoch: a time of day is the next one. Raises ValueError."""
    info = find_zone(zone)
    written = text.strip()
    if time := _TIME.fullmatch(written):
        hour, minute, second = (int(part or 0) for part in time.groups())
        today = datetime.fromtimestamp(now, info).replace(tzinfo=None)
        moment = today.replace(hour=hour, minute=minute, second=second, microsecond=0)
        found = _instant(moment, info)
        return found if found >= now else _instant(moment + timedelta(days=1), info)
    try:
        moment = datetime.fromisoformat(written)
        return moment.timestamp() if moment.tzinfo else _instant(moment, info)
    except (ValueError, OverflowError):
        raise ValueError(
            f"'{text[:60]}' is no moment; write for example 2026-01-31T09:00:00Z, or a time of day: '09:30'"
        ) from None


def _instant(local: datetime, zone: tzinfo) -> float:
    """The moment of a local time; one that the clock skips is the first moment after the gap."""
    moment = local.replace(tzinfo=zone)
    back = moment.astimezone(UTC).astimezone(zone).replace(tzinfo=None)
    if back == local:
        return moment.timestamp()
    before, after = moment.replace(fold=0).timestamp(), moment.replace(fold=1).timestamp()
    low, high = int(min(before, after)), int(max(before, after))
    offset = datetime.fromtimestamp(low, zone).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (
            (middle, high) if datetime.fromtimestamp(middle, zone).utcoffset() == offset else (low, middle)
        )
    return float(high)


def zone_problem(name: str) -> str:
    """Why there is no time zone of that name; empty if there is one."""
    try:
        find_zone(name)
    except ValueError as error:
        return str(error)
    return ""


def _read(words: Mapping[str, Any]) -> WaitAction:
    model = words["wait"]
    return WaitAction(
        seconds=model.seconds, until=model.until, file=model.file, signal_name=model.signal,
        timezone=model.timezone or "UTC", settle=model.settle or 0.0, timeout=model.timeout,
    )  # fmt: skip


def _start(action: WaitAction, context: StartContext) -> Wait:
    if action.seconds is not None:
        return Wait(until=context.now + action.seconds, timeout=action.timeout)
    if action.until is not None:
        with located("wait.until"):
            until = _rendered_moment(action.until, action.timezone, context)
        return Wait(until=until, timeout=action.timeout)
    if action.file is not None:
        with located("wait.file"):
            file = context.render(action.file)
            if not file.strip() or "\0" in file:
                raise EvaluationError(f"{file!r} names no file", 0)
        return Wait(file=context.path(file), settle=action.settle, timeout=action.timeout)
    with located("wait.signal"):
        name = context.render(action.signal_name or "")
        if not is_name(name):
            raise EvaluationError(f"{name[:60]!r} is no name of a signal: {NAME_RULE}", 0)
    return Wait(signal=name, timeout=action.timeout)


def _rendered_moment(until: str, zone: str, context: StartContext) -> float:
    try:
        return moment_of(context.render(until), context.render(zone), context.now)
    except ValueError as error:
        if isinstance(error, EvaluationError):
            raise
        raise EvaluationError(str(error), 0) from None


def _label(action: WaitAction) -> str:
    """What is waited for: `wait: 90s`, `wait: file data.csv`."""
    if action.seconds is not None:
        return f"wait: {action.seconds:g}s"
    if action.until is not None:
        zone = f" {action.timezone}" if action.timezone != "UTC" else ""
        return f"wait: until {action.until}{zone}"
    return f"wait: file {action.file}" if action.file is not None else f"wait: signal {action.signal_name}"


KIND = Kind(
    name="wait",
    action=WaitAction,
    keys=("wait",),
    read=_read,
    label=_label,
    start=_start,
    is_for_hooks=False,
)
