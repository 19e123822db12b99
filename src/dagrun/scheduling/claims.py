"""Who owns a schedule's fires: its file of claims, whose last line says how far the schedule has got (DESIGN, third owner).

with claims.hold("nightly", now) as held:     # nobody else decides about this schedule meanwhile
    if held.may_fire("2026-11-20 14:00"):
        held.append(Claim(minute="2026-11-20 14:00", run_id=run_id))

Minutes are texts in UTC, `YYYY-MM-DD HH:MM`: they sort by time. A minute at or before the watermark is never fired by a
tick again. A minute that somebody asks for by name (`--at`, backfill) is looked up in the whole file instead and moves no
watermark; where it lies ahead of it, every later line says so (`ahead`), so that a tick that comes there looks it up too.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dagrun.clock import to_rfc3339
from dagrun.core.work import Json
from dagrun.errors import EnvironmentFailure, RecordError
from dagrun.run_layout import file_name
from dagrun.scheduling.schedule import Watermark
from dagrun.storage import jsonl
from dagrun.storage.disk import FILE_MODE, sync_directory

_BLOCK = 4096
_MINUTE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d\Z")

# Closing any descriptor of a file drops this process's locks on it, so threads take turns at all files of claims.
_turn = threading.RLock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What became of a minute of a schedule: a run, a reason why there is none, or nothing that anybody need know.

    With `first` it stands for `count` fires that were passed over, from `first` to `minute`.
    """

    minute: str
    run_id: str = ""
    reason: str = ""
    first: str = ""
    count: int = 1
    #: Whether the schedule was enabled, its definition, and whether it was gone, as in `Account`.
    enabled: bool = True
    timing: str = ""
    fingerprint: str = ""
    is_gone: bool = False

    @staticmethod
    def at(watermark: Watermark, **facts: Any) -> Claim:
        """A claim that leaves this watermark behind."""
        return Claim(
            enabled=watermark.enabled, timing=watermark.timing, fingerprint=watermark.fingerprint, is_gone=watermark.is_gone,
            **{"minute": watermark.minute, **facts},
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ClaimState:
    """How a schedule stands, as the last line of its file has it."""

    #: How far its watermark goes; None: no tick has ever seen it.
    watermark: Watermark | None = None
    #: The latest minute beyond that, that was fired because somebody asked for it.
    ahead: str = ""
    #: The newest run.
    run_id: str = ""

    @property
    def settled_until(self) -> str:
        """The last minute that is settled."""
        return self.watermark.minute if self.watermark else ""


class Claims:
    """The claims of all schedules of one state store."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, schedule_id: str) -> Path:
        """Where a schedule's claims are."""
        return self.directory / f"{file_name(schedule_id)}.jsonl"

    @contextmanager
    def hold(self, schedule_id: str, now: float = 0.0) -> Iterator[HeldClaims]:
        """Own a schedule's fires for as long as the block lasts. Raises RecordError."""
        path = self.path(schedule_id)
        with _turn:
            try:
                fd = _open(path)
            except OSError as error:
                raise _failure(path, error) from error
            try:
                yield HeldClaims(fd, path, now)
            finally:
                os.close(fd)

    def state(self, schedule_id: str) -> ClaimState:
        """How a schedule stands; reads the end of its file only."""
        with _turn, _reading(self.path(schedule_id)) as fd:
            return _read_state(fd) if fd is not None else ClaimState()

    def find(self, schedule_id: str, minute: str) -> Claim | None:
        """What became of a minute; reads the whole file. A minute that was passed over with others is not found."""
        with _turn, _reading(self.path(schedule_id)) as fd:
            found = _find(fd, minute) if fd is not None else None
        return _claim(found) if found else None

    def newer(self, schedule_id: str, run_id: str) -> Sequence[str]:
        """The runs that were claimed after a run, the newest first; none if that run's claim is not there."""
        found: list[str] = []
        with _turn, _reading(self.path(schedule_id)) as fd:
            for line in _backwards(fd) if fd is not None else ():
                if line.get("run_id") == run_id:
                    return found
                if line.get("run_id"):
                    found.append(str(line["run_id"]))
        return []


class HeldClaims:
    """The hand of whoever owns a schedule's fires just now."""

    def __init__(self, fd: int, path: Path, now: float) -> None:
        self._fd = fd
        self._path = path
        self._now = now
        self.state = _read_state(fd)

    def may_fire(self, minute: str, *, asked: bool = False) -> bool:
        """Whether the minute may still become a run; `asked`: somebody named it."""
        if not asked and minute <= self.state.settled_until:
            return False
        known = max(self.state.settled_until, self.state.ahead)
        return minute > known or _find(self._fd, minute) is None

    def append(self, claim: Claim, *, asked: bool = False, event: str = "claim") -> None:
        """Write a claim down; one that says anything outlives a power loss.

        Raises RecordError: then it may not be acted upon.
        """
        state = _moved(self.state, claim, asked=asked)
        watermark = state.watermark
        facts: dict[str, Json] = {
            "timestamp": to_rfc3339(self._now), "event": event, "minute": claim.minute,
            **({"run_id": claim.run_id} if claim.run_id else {"last_run_id": state.run_id}),
            **({"reason": claim.reason} if claim.reason else {}),
            **({"first": claim.first, "count": claim.count} if claim.first else {}),
            **({"watermark": state.settled_until} if state.settled_until != claim.minute else {}),
            **({"ahead": state.ahead} if state.ahead else {}),
            **(_definition(watermark) if watermark else {}),
        }  # fmt: skip
        data = json.dumps(facts, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
        try:
            _append(self._fd, data)
            if claim.run_id or claim.reason:
                os.fsync(self._fd)
            if claim.run_id and not self.state.run_id:
                sync_directory(self._path.parent)  # the file may be new
        except OSError as error:
            raise _failure(self._path, error) from error
        self.state = state

    def reset(self, minute: str) -> None:
        """Move the watermark back, because somebody asked for it. A minute that has become a run is still not fired again.

        Raises RecordError.
        """
        state = self.state
        assert state.watermark is not None  # else there is no watermark
        self.state = ClaimState(
            replace(state.watermark, minute=""),
            max(state.ahead, state.settled_until),
            state.run_id,
        )
        try:
            self.append(Claim.at(replace(state.watermark, minute=minute)), event="reset")
        except BaseException:
            self.state = state
            raise


def _definition(watermark: Watermark) -> dict[str, Json]:
    """What a line says of the schedule itself."""
    return {
        **({} if watermark.enabled else {"enabled": False}),
        **({"gone": True} if watermark.is_gone else {}),
        **({"when": watermark.timing} if watermark.timing else {}),
        **({"what": watermark.fingerprint} if watermark.fingerprint else {}),
    }


def _moved(state: ClaimState, claim: Claim, *, asked: bool) -> ClaimState:
    """How the schedule stands once a claim is made."""
    watermark, ahead = state.watermark, state.ahead
    if asked:
        ahead = max(ahead, claim.minute)
    else:
        minute = max(claim.minute, state.settled_until)
        watermark = Watermark(minute, claim.enabled, claim.timing, claim.fingerprint, claim.is_gone)
    left = ahead if watermark is None or ahead > watermark.minute else ""
    return ClaimState(watermark, left, claim.run_id or state.run_id)


# --- the file ----------------------------------------------------------------------------------------------


def _open(path: Path) -> int:
    """The locked file; made if it is not there."""
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
        raise EnvironmentFailure(f"cannot read {path}: {error.strerror}") from error
    try:
        yield fd
    finally:
        os.close(fd)


def _append(fd: int, data: bytes) -> None:
    size = os.fstat(fd).st_size
    if size and os.pread(fd, 1, size - 1) != b"\n":
        data = b"\n" + data  # a torn last line must not swallow this one
    written = os.write(fd, data)
    if written < len(data):
        os.write(fd, data[written:])


def _backwards(fd: int) -> Iterator[Mapping[str, Json]]:
    """The claims of a file, the newest first; what is none is passed over."""
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
    """The claim of one minute, wherever it stands."""
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
    """Whether it is about its own minute, and says what became of it."""
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
    return Claim(
        minute=line["minute"], run_id=str(line.get("run_id", "")), reason=str(line.get("reason", ""))
    )


def _failure(path: Path, error: OSError) -> RecordError:
    return RecordError(
        f"cannot write {path}: {error.strerror}", hint="free some space, or check who may write there"
    )
