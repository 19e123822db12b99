"""The directory of schedules: files to Schedules and findings, read again when they change."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, ValidationError

from dagrun.core.model import seconds
from dagrun.documents.dialects import fields
from dagrun.documents.dialects.fields import Duration, Name, StrictModel
from dagrun.documents.yaml import DocumentError, Finding, Limits, Source, changed_numbers
from dagrun.documents.yaml.text import SourceText
from dagrun.errors import DagrunError, UsageError
from dagrun.scheduling.cron import Cron, CronError
from dagrun.scheduling.cron import parse as parse_cron
from dagrun.scheduling.schedule import Catchup, Overlap, Schedule, ScheduleOrigin
from dagrun.scheduling.timetable import Timetable
from dagrun.scheduling.timezones import LAST_YEAR, Zone, ZoneError
from dagrun.scheduling.timezones import zone as find_zone

_SUFFIXES: Final = (".yaml", ".yml")
#: A file that is wrong so soon after it changed, in seconds, may be half-written: it is read again before it is told of.
_FRESH: Final = 2.0
_ATTEMPTS: Final = 5
_PAUSE: Final = 0.05

Check = Callable[[Schedule], object]
#: What tells two states of a file apart without reading it.
_Stamp = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a directory of schedules holds. A schedule with an error of its own is not among `schedules`."""

    schedules: tuple[Schedule, ...]
    #: In the order of the files and lines, each with the text to show it in (`render(finding, text)`).
    findings: tuple[tuple[Finding, SourceText | None], ...]


@dataclass(slots=True)
class _ParsedFile:
    """What one file said."""

    stamp: _Stamp
    source: Source | None = None
    schedules: list[Schedule] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


class ScheduleFiles:
    """`*.yaml` and `*.yml` of one directory; those whose names start with a dot are left alone.

    `check` is asked about each schedule that is sound in itself; it raises DagrunError when the DAG is not there, which
    becomes a finding at the schedule's `dag`. `sleep` and `now` are what waiting for a half-written file is done with.
    """

    def __init__(
        self, directory: Path, shown: str | None = None, *, check: Check = bool, limits: Limits | None = None,
        sleep: Callable[[float], None] = time.sleep, now: Callable[[], float] = time.time,
        only: Container[str] | None = None,
    ) -> None:  # fmt: skip
        self.directory = directory
        self.shown = str(directory) if shown is None else shown
        self._check = check
        self._limits = limits or Limits()
        self._sleep = sleep
        self._now = now
        #: The names of the files to read; None: all.
        self._only = only
        self._files: dict[str, _ParsedFile] = {}
        #: As of the last `load`; None: the directory was not there, or nobody asked yet.
        self._stamps: Mapping[str, _Stamp] | None = None
        self._is_loaded = False
        self._refused: list[Schedule] = []

    def changed(self) -> bool:
        """Whether `load` might say something else than last time: a look at names, sizes and times, no reading.

        True before the first `load`, once when the directory vanishes, and when a DAG that was missing is there now.
        """
        if not self._is_loaded or self._scan() != self._stamps:
            return True
        return any(self._problem(schedule) is None for schedule in self._refused)

    def load(self) -> Loaded:
        """All schedules and findings; files that did not change are not read again. UsageError: no such directory."""
        self._is_loaded = True
        self._stamps = stamps = self._scan()
        if stamps is None:
            raise UsageError(f"there is no directory {self.shown}")
        self._files = {name: file for name, file in self._files.items() if stamps.get(name) == file.stamp}
        self._read_all([name for name in stamps if name not in self._files])
        self._stamps = {name: self._files[name].stamp for name in stamps if name in self._files}
        return self._joined([self._files[name] for name in sorted(self._files)])

    def _scan(self) -> dict[str, _Stamp] | None:
        """The files and their stamps, by name; None: there is no directory."""
        try:
            with os.scandir(self.directory) as entries:
                return {
                    entry.name: _stamp(entry.stat())
                    for entry in sorted(entries, key=lambda entry: entry.name)
                    if self._is_one(entry.name) and _is_there(entry)
                }
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise UsageError(f"cannot read {self.shown}: {error.strerror}") from error

    def _is_one(self, name: str) -> bool:
        if self._only is not None:
            return name in self._only
        return name.endswith(_SUFFIXES) and not name.startswith(".")

    # --- reading -------------------------------------------------------------------------------------------

    def _read_all(self, names: Sequence[str]) -> None:
        """Read files; all that may be half-written are waited for together."""
        from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_fixed

        left = list(names)

        def read() -> bool:
            left[:] = [name for name in left if self._read(name)]
            return bool(left)

        Retrying(
            stop=stop_after_attempt(_ATTEMPTS), wait=wait_fixed(_PAUSE), retry=retry_if_result(bool),
            sleep=self._sleep, retry_error_callback=lambda _: None,
        )(read)  # fmt: skip

    def _read(self, name: str) -> bool:
        """Read a file; whether it may have been half-written."""
        path = self.directory / name
        try:
            before = path.stat()
            file = _file(path, f"{self.shown}/{name}", self._limits)
            after = path.stat()
        except OSError:  # it is gone, or about to be replaced
            self._files.pop(name, None)
            return True
        file.stamp = _stamp(before)
        self._files[name] = file
        is_fresh = abs(self._now() - after.st_mtime) < _FRESH
        return _stamp(after) != file.stamp or (
            is_fresh and any(each.level == "error" for each in file.findings)
        )

    # --- all files together --------------------------------------------------------------------------------

    def _joined(self, files: Sequence[_ParsedFile]) -> Loaded:
        first: dict[str, Schedule] = {}
        self._refused = []
        told: list[tuple[Finding, SourceText | None]] = []
        for file in files:
            findings = list(file.findings)
            for schedule in file.schedules:
                if schedule.id in first:
                    findings.append(_duplicate(schedule, first[schedule.id]))
                    continue
                first[schedule.id] = schedule
                problem = self._problem(schedule)
                if problem is not None:
                    self._refused.append(schedule)
                    findings.append(problem)
            findings.sort(key=lambda finding: (finding.place.line, finding.place.column))
            told += [(finding, file.source) for finding in findings]
        refused = {schedule.id for schedule in self._refused}
        return Loaded(tuple(one for one in first.values() if one.id not in refused), tuple(told))

    def _problem(self, schedule: Schedule) -> Finding | None:
        """What the caller has against a schedule."""
        try:
            self._check(schedule)
        except DagrunError as error:
            return Finding(_origin(schedule).place("dag"), error.message, "unknown-dag", error.hint)
        return None


def _is_there(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a file, or leads to one."""
    try:
        return entry.is_file()
    except OSError:
        return False


def _stamp(stat: os.stat_result) -> _Stamp:
    return (stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino)


def _origin(schedule: Schedule) -> ScheduleOrigin:
    assert schedule.origin is not None  # all that come from files have one
    return schedule.origin


def _duplicate(schedule: Schedule, first: Schedule) -> Finding:
    place = _origin(first).place("id")
    return Finding(
        _origin(schedule).place("id"), f"schedule '{schedule.id}' is there already", "duplicate-id",
        f"the first one is in {place.path}:{place.line}",
    )  # fmt: skip


# --- one file ----------------------------------------------------------------------------------------------


def _window(value: object) -> float:
    """A duration that may be given in days: `1d`, `1d12h`."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)d(\S*)\s*", value) if isinstance(value, str) else None
    if match is None:
        return seconds(value)
    return seconds(float(match[1]) * 86_400 + (seconds(match[2]) if match[2] else 0))


class _ScheduleModel(StrictModel):
    """A schedule as it is written."""

    id: Name = Field(description="The schedule's name, which no other schedule has, in whatever file.")
    cron: str = Field(
        description="When: minute, hour, day of month, month, day of week; or `@daily` and the like."
    )
    dag: str = Field(min_length=1, description="The document to run, by path or by name.")
    tenant: Name | None = Field(None, description="On whose behalf it runs; without a word the DAG's.")
    enabled: bool = Field(True, description="Whether it fires at all.")
    timezone: str = Field("UTC", description="The zone whose clock `cron` is about, such as `Europe/Berlin`.")
    params: dict[str, Any] = Field({}, description="Parameters of the run by name.")
    overlap: Literal["skip", "queue", "parallel", "replace"] = Field(
        "skip", description="What a fire does while the last run still runs."
    )
    catchup: Literal["none", "latest", "all"] = Field(
        "none", description="Which fires are made up for that were missed while nothing served."
    )
    catchup_window: Annotated[float, BeforeValidator(_window)] = Field(
        86_400.0, description="How long ago a missed fire may have been to be made up for."
    )
    start: str | None = Field(None, description="The first day, or moment, in the schedule's zone.")
    end: str | None = Field(None, description="The last day, or moment, in the schedule's zone.")
    jitter: Duration = Field(0.0, description="A fire starts up to this much later than its minute.")
    resume_window: Annotated[float, BeforeValidator(_window)] = Field(
        86_400.0, description="How long ago a run may have been interrupted to be resumed by a scheduler."
    )


def _file(path: Path, shown: str, limits: Limits) -> _ParsedFile:
    """What a file says. OSError: it is not there."""
    file = _ParsedFile(())
    try:
        file.source = Source.read(path, shown, limits)
        data = file.source.load()
    except DocumentError as error:
        if error.findings[0].code == "missing-file":
            raise FileNotFoundError(str(path)) from None
        # A file of comments holds no schedules, and that is all there is to say about it.
        file.findings += [finding for finding in error.findings if finding.code != "empty"]
        return file
    reader = _EntryReader(file.source)
    entries = [((i,), entry) for i, entry in enumerate(data)] if isinstance(data, list) else [((), data)]
    for at, entry in entries:
        schedule = reader.schedule(entry, at)
        if schedule is not None:
            file.schedules.append(schedule)
    file.findings += reader.findings
    return file


class _EntryReader:
    """One file on its way to Schedules; collects every finding."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.findings: list[Finding] = []

    def schedule(self, entry: Any, path: tuple[int, ...]) -> Schedule | None:
        """The schedule in an entry; None, and findings, when something is wrong with it."""
        before = self._errors
        if not isinstance(entry, dict):
            self._record(path, "a schedule must be a mapping with 'id', 'cron' and 'dag'", "invalid-value")
            return None
        try:
            wired = _ScheduleModel.model_validate(entry)
        except ValidationError as error:
            self.findings += fields.findings(error, self.source, path, _ScheduleModel, {})
            self._look_at_time(entry, path)
            return None
        cron, zone = self._look_at_time(entry, path)
        start = self._bound(wired.start, zone, (*path, "start"), is_end=False)
        end = self._bound(wired.end, zone, (*path, "end"), is_end=True)
        if start is not None and end is not None and end < start:
            self._record((*path, "end"), "the end comes before the start", "invalid-value")
        if wired.params:
            self._look_at_params(wired.params, (*path, "params"))
        if cron is None or zone is None or self._errors > before:
            return None
        self.findings += changed_numbers(self.source, wired.params, (*path, "params"))
        return Schedule(
            id=wired.id, timetable=Timetable(cron, zone), dag=wired.dag, tenant=wired.tenant, enabled=wired.enabled,
            params=wired.params, overlap=Overlap(wired.overlap), catchup=Catchup(wired.catchup),
            catchup_window=wired.catchup_window, start=start, end=end, jitter=wired.jitter,
            resume_window=wired.resume_window, origin=ScheduleOrigin(self.source, path),
        )  # fmt: skip

    def _look_at_time(
        self, entry: Mapping[str, Any], path: tuple[int, ...]
    ) -> tuple[Cron | None, Zone | None]:
        """The expression and the zone, as far as they can be read, whatever else is wrong."""
        cron, zone = entry.get("cron"), entry.get("timezone", "UTC")
        found_cron = found_zone = None
        if isinstance(cron, str):
            try:
                found_cron = parse_cron(cron)
                if found_cron.advice:
                    place = self.source.place((*path, "cron"))
                    self.findings.append(
                        Finding(
                            place, f"'cron': {found_cron.advice}", "cron-days", found_cron.way_out, "warning"
                        )
                    )
            except CronError as error:
                place = self.source.place_within((*path, "cron"), error.offset)
                self.findings.append(Finding(place, f"'cron': {error}", "invalid-cron", error.suggestion))
        if isinstance(zone, str):
            try:
                found_zone = find_zone(zone)
            except ZoneError as error:
                self._record((*path, "timezone"), str(error), "unknown-zone", error.suggestion)
        return found_cron, found_zone

    def _bound(
        self, text: str | None, zone: Zone | None, path: tuple[str | int, ...], *, is_end: bool
    ) -> int | None:
        if text is None or zone is None:
            return None
        try:
            return _minute(text, zone, is_end=is_end)
        except ValueError:
            hint = "write 2026-01-31, or 2026-01-31T09:00"
            self._record(path, f"'{path[-1]}' must be a date, or a date and a time", "invalid-value", hint)
            return None

    def _look_at_params(self, params: Mapping[str, Any], path: tuple[str | int, ...]) -> None:
        """YAML has numbers that JSON has not, and every parameter is recorded as JSON."""
        for name, value in params.items():
            try:
                json.dumps(value, allow_nan=False)
            except ValueError:
                message = f"the parameter '{name}' holds .inf or .nan, which cannot be recorded"
                self._record((*path, name), message, "invalid-value")

    @property
    def _errors(self) -> int:
        return sum(finding.level == "error" for finding in self.findings)

    def _record(self, path: tuple[str | int, ...], message: str, code: str, suggestion: str = "") -> None:
        self.findings.append(Finding(self.source.place(path), message, code, suggestion))


def _minute(text: str, zone: Zone, *, is_end: bool) -> int:
    """The first or last minute within a bound; a day that is an end is within. Raises ValueError."""
    text = text.strip()
    is_day = re.fullmatch(r"\d{4}-\d\d-\d\d", text) is not None
    local = datetime.fromisoformat(text)
    if not is_day and not re.match(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", text):
        raise ValueError(text)
    if not date(1970, 1, 2) <= local.date() < date(LAST_YEAR - 1, 1, 1):
        raise ValueError(text)
    if is_day and is_end:
        return zone.minute_of(local + timedelta(days=1)) - 1
    whole = local.replace(second=0, microsecond=0)
    minute = zone.minute_of(whole) if local.tzinfo is None else int(whole.timestamp() // 60)
    # A moment within a minute leaves that minute's fire behind when it is a start.
    return minute + 1 if whole != local and not is_end else minute
