"""Claims: one file per schedule owns its fires. The last line has the watermark: every minute up to there is settled.

with claims.hold("nightly", now) as held:     # no other scheduler decides about this schedule meanwhile
    if held.may_fire("2026-11-20 14:00"):
        held.append(Claim(Watermark("2026-11-20 14:00"), run_id=run_id))

Minutes are text in UTC, `YYYY-MM-DD HH:MM`: they sort by time. A tick never fires a minute at or before the watermark.
A minute that a user names (`--at`, backfill) is looked up in the whole file instead, and does not move the watermark. If it
is after the watermark, each later line records that (`ahead`), so that a tick that gets there looks it up too.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from dagrun.clock import to_rfc3339
from dagrun.core.work import Json
from dagrun.errors import EnvironmentFailure
from dagrun.run_layout import file_name
from dagrun.scheduling.schedule import Watermark
from dagrun.storage import jsonl
from dagrun.storage.disk import FILE_MODE, sync_directory, unwritable
from dagrun.value import Value, replace

_BLOCK = 4096
_MINUTE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d\Z")

# Closing any descriptor of a file drops this process's locks on it, so threads take turns.
_turn = threading.RLock()


class Claim(Value):
    """The record of one minute of a schedule: its run, the reason why there is none, or only a new watermark."""

    #: The watermark from now on. Its minute is the minute of the claim.
    watermark: Watermark
    run_id: str = ""
    reason: str = ""
    #: If not empty: `count` fires were skipped, from this minute to that of the claim.
    first: str = ""
    count: int = 1

    @property
    def minute(self) -> str:
        """The minute that it is about."""
        return self.watermark.minute


class ClaimState(Value):
    """The state of a schedule, as the last line of its file records it."""

    #: None: no tick has ever looked at the schedule.
    watermark: Watermark | None = None
    #: The latest minute after the watermark that was fired because a user named it.
    ahead: str = ""
    #: The newest run.
    run_id: str = ""

    @property
    def settled_until(self) -> str:
        """The last settled minute; empty if there is none."""
        return self.watermark.minute if self.watermark else ""


class Claims:
    """The claims of all schedules of one state store."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, schedule_id: str) -> Path:
        """The claim file of a schedule."""
        return self.directory / f"{file_name(schedule_id)}.jsonl"

    @contextmanager
    def hold(self, schedule_id: str, now: float = 0.0) -> Iterator[HeldClaims]:
        """Lock the claim file of a schedule for the block. Raises RecordError, EnvironmentFailure."""
        path = self.path(schedule_id)
        with _turn:
            try:
                fd = _open(path)
            except OSError as error:
                raise unwritable(path, error) from error
            try:
                yield _held(fd, path, now)
            finally:
                os.close(fd)

    def state(self, schedule_id: str) -> ClaimState:
        """The state of a schedule; reads only the end of its file."""
        with _turn, _reading(self.path(schedule_id)) as fd:
            return _read_state(fd) if fd is not None else ClaimState()

    def find(self, schedule_id: str, minute: str) -> Claim | None:
        """The claim of a minute; reads the whole file. Does not find a minute that was skipped as part of a range."""
        with _turn, _reading(self.path(schedule_id)) as fd:
            found = _find(fd, minute) if fd is not None else None
        return _claim(found) if found else None

    def newer(self, schedule_id: str, run_id: str) -> Sequence[str]:
        """The runs that were claimed after a run, the newest first; none if that run was never claimed."""
        found: list[str] = []
        with _turn, _reading(self.path(schedule_id)) as fd:
            for line in _backwards(fd) if fd is not None else ():
                if line.get("run_id") == run_id:
                    return found
                if line.get("run_id"):
                    found.append(str(line["run_id"]))
        return []


class HeldClaims:
    """The locked claim file of one schedule."""

    def __init__(self, fd: int, path: Path, now: float) -> None:
        self._fd = fd
        self._path = path
        self._now = now
        self.state = _read_state(fd)

    def may_fire(self, minute: str, *, asked: bool = False) -> bool:
        """Whether the minute may still become a run; `asked`: a user named it."""
        if not asked and minute <= self.state.settled_until:
            return False
        known = max(self.state.settled_until, self.state.ahead)
        return minute > known or _find(self._fd, minute) is None

    def append(self, claim: Claim, *, asked: bool = False, event: str = "claim") -> None:
        """Record a claim. One with a run or a reason survives a power loss.

        Raises RecordError: then the claim is not made.
        """
        state = _moved(self.state, claim, asked=asked)
        watermark = state.watermark
        line: dict[str, Json] = {
            "timestamp": to_rfc3339(self._now), "event": event, "minute": claim.minute,
            **({"run_id": claim.run_id} if claim.run_id else {"last_run_id": state.run_id}),
            **({"reason": claim.reason} if claim.reason else {}),
            **({"first": claim.first, "count": claim.count} if claim.first else {}),
            **({"watermark": state.settled_until} if state.settled_until != claim.minute else {}),
            **({"ahead": state.ahead} if state.ahead else {}),
            **(_definition(watermark) if watermark else {}),
        }  # fmt: skip
        data = json.dumps(line, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
        size = os.fstat(self._fd).st_size
        try:
            append_line(self._fd, data)
            if claim.run_id or claim.reason:
                os.fsync(self._fd)
            if claim.run_id and not self.state.run_id:
                sync_directory(self._path.parent)  # the file may be new
        except OSError as error:
            # A line that may not survive a power loss must not be seen: the fire would count as taken and be lost. A second
            # fsync would not do: after a failed one the system may report success for data that it has dropped.
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, size)
            raise unwritable(self._path, error) from error
        self.state = state

    def is_claimed(self, run_id: str) -> bool:
        """Whether the newest claim in the file is that of a run. Raises OSError."""
        return _read_state(self._fd).run_id == run_id

    def reset(self, minute: str) -> None:
        """Move the watermark back to a minute. A minute that has become a run is still not fired again. Raises RecordError."""
        state = self.state
        assert state.watermark is not None  # else there is no watermark
        self.state = ClaimState(
            replace(state.watermark, minute=""),
            max(state.ahead, state.settled_until),
            state.run_id,
        )
        try:
            self.append(Claim(replace(state.watermark, minute=minute)), event="reset")
        except BaseException:
            self.state = state
            raise


def _definition(watermark: Watermark) -> dict[str, Json]:
    """The keys of a line that describe the schedule."""
    return {
        **({} if watermark.enabled else {"enabled": False}),
        **({"gone": True} if watermark.is_removed else {}),
        **({"when": watermark.timing} if watermark.timing else {}),
        **({"what": watermark.fingerprint} if watermark.fingerprint else {}),
    }


def _moved(state: ClaimState, claim: Claim, *, asked: bool) -> ClaimState:
    """The state after a claim."""
    watermark, ahead = state.watermark, state.ahead
    if asked:
        ahead = max(ahead, claim.minute)
    else:
        watermark = replace(claim.watermark, minute=max(claim.minute, state.settled_until))
    left = ahead if watermark is None or ahead > watermark.minute else ""
    return ClaimState(watermark, left, claim.run_id or state.run_id)


def _held(fd: int, path: Path, now: float) -> HeldClaims:
    try:
        return HeldClaims(fd, path, now)
    except OSError as error:
        raise _unreadable(path, error) from error


# --- the file ----------------------------------------------------------------------------------------------


def _open(path: Path) -> int:
    """Open and lock a file, and create it if it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, FILE_MODE)
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX)
    except BaseException:
        os.close(fd)
        raise
    return fd


@contextmanager
def _reading(path: Path) -> Iterator[int | None]:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield None
        return
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        yield fd
    finally:
        os.close(fd)


def append_line(fd: int, data: bytes) -> None:
    """Append a line in one write. Raises OSError."""
    size = os.fstat(fd).st_size
    if size and os.pread(fd, 1, size - 1) != b"\n":
        data = b"\n" + data  # a torn last line must not damage this one
    written = os.write(fd, data)
    if written < len(data):
        os.write(fd, data[written:])


def _backwards(fd: int) -> Iterator[Mapping[str, Json]]:
    """The claims of a file, the newest first; lines that are no claims are left out."""
    at, rest = os.fstat(fd).st_size, b""
    while at > 0:
        size = min(_BLOCK, at)
        at -= size
        first, *others = (os.pread(fd, size, at) + rest).split(b"\n")
        for line in reversed(others):
            if (claim := _parsed(line)) is not None:
                yield claim
        rest = first
    if (claim := _parsed(rest)) is not None:
        yield claim


def _find(fd: int, minute: str) -> Mapping[str, Json] | None:
    """The claim of one minute, anywhere in the file."""
    os.lseek(fd, 0, os.SEEK_SET)
    needle = minute.encode()
    with os.fdopen(fd, "rb", closefd=False) as file:
        for line in file:
            claim = _parsed(line) if needle in line else None
            if claim is not None and claim["minute"] == minute and _settles(claim):
                return claim
    return None


def _parsed(line: bytes) -> Mapping[str, Json] | None:
    claim = jsonl.parse(line) if line.strip() else None
    return claim if claim is not None and _MINUTE.match(str(claim.get("minute"))) else None


def _settles(claim: Mapping[str, Json]) -> bool:
    """Whether it has the outcome of a single minute."""
    return bool(claim.get("run_id") or claim.get("reason")) and not claim.get("first")


def _read_state(fd: int) -> ClaimState:
    newest = next(_backwards(fd), None)
    if newest is None:
        return ClaimState()
    minute = str(newest.get("watermark", newest["minute"]))
    watermark = None
    if minute:
        watermark = Watermark(
            minute, newest.get("enabled") is not False, str(newest.get("when", "")),
            str(newest.get("what", "")), newest.get("gone") is True,
        )  # fmt: skip
    run_id = str(newest.get("run_id") or newest.get("last_run_id") or "")
    return ClaimState(watermark, str(newest.get("ahead", "")), run_id)


def _claim(line: Mapping[str, Json]) -> Claim:
    watermark = Watermark(str(line["minute"]))
    return Claim(watermark, run_id=str(line.get("run_id", "")), reason=str(line.get("reason", "")))


def _unreadable(path: Path, error: OSError) -> EnvironmentFailure:
    return EnvironmentFailure(f"cannot read {path}: {error.strerror}")
