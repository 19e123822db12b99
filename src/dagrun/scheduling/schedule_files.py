"""Reads a directory of schedule files into Schedules and findings, again whenever a file changes."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Container, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from pydantic import BeforeValidator, Field, ValidationError

from dagrun.core.model import seconds
from dagrun.documents.dialects import fields, task_parts
from dagrun.documents.dialects.fields import Duration, Name, StrictModel
from dagrun.documents.dialects.shared_models import SlaModel
from dagrun.documents.yaml import DocumentError, Finding, Limits, Source, changed_numbers
from dagrun.documents.yaml.text import SourceText
from dagrun.errors import UsageError
from dagrun.scheduling.cron import Cron, CronError
from dagrun.scheduling.cron import parse as parse_cron
from dagrun.scheduling.schedule import Catchup, Overlap, Schedule, ScheduleOrigin
from dagrun.scheduling.timetable import Timetable
from dagrun.scheduling.timezones import LAST_YEAR, Zone, ZoneError
from dagrun.scheduling.timezones import zone as find_zone
from dagrun.value import Value, field
from dagrun.views.wording import seconds as duration_text

_SUFFIXES: Final = (".yaml", ".yml")
#: A file with errors that changed less than so many seconds ago may be half-written: it is read again before it is reported.
_FRESH: Final = 2.0
ATTEMPTS: Final = 5
_PAUSE: Final = 0.05  # seconds between two attempts

#: Times, size and inode of a file: they differ whenever its content does.
_Stamp = tuple[int, ...]


class Loaded(Value):
    """The content of a directory of schedules. A schedule with an error of its own is not among `schedules`."""

    schedules: tuple[Schedule, ...]
    #: In the order of the files and lines, each with the text to show it in (`render(finding, text)`).
    findings: tuple[tuple[Finding, SourceText | None], ...]


class _ParsedFile(msgspec.Struct):
    """The content of one file."""

    stamp: _Stamp
    source: Source | None = None
    schedules: list[Schedule] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


class ScheduleFiles:
    """`*.yaml` and `*.yml` of one directory; those whose names start with a dot are ignored.

    `sleep` and `now` are the clock that waits for a half-written file.
    """

    def __init__(
        self, directory: Path, shown: str | None = None, *, limits: Limits | None = None,
        sleep: Callable[[float], None] = time.sleep, now: Callable[[], float] = time.time,
        only: Container[str] | None = None,
    ) -> None:  # fmt: skip
        self.directory = directory
        #: The directory as messages show it.
        self.shown = str(directory) if shown is None else shown
        self._limits = limits or Limits()
        self._sleep = sleep
        self._now = now
        #: The names of the files to read; None: all.
        self._only = only
        self._files: dict[str, _ParsedFile] = {}
        #: As of the last `load`; None: there was no directory, or no `load` yet.
        self._stamps: Mapping[str, _Stamp] | None = None
        self._is_loaded = False

    def changed(self) -> bool:
        """Whether `load` might return something else than last time, from names, sizes and times alone.

        True before the first `load`, and once when the directory disappears.
        """
        return not self._is_loaded or self._scan() != self._stamps

    def load(self) -> Loaded:
        """All schedules and findings; only files that changed are read. Raises UsageError if there is no directory."""
        self._is_loaded = True
        self._stamps = stamps = self._scan()
        if stamps is None:
            raise UsageError(f"there is no directory {self.shown}")
        self._files = {name: file for name, file in self._files.items() if stamps.get(name) == file.stamp}
        self._read_all([name for name in stamps if name not in self._files])
        self._stamps = {name: self._files[name].stamp for name in stamps if name in self._files}
        return self._joined([self._files[name] for name in sorted(self._files)])

    def _scan(self) -> dict[str, _Stamp] | None:
        """The files and their stamps, by name; None if there is no directory."""
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
        """Read files; wait for all that may be half-written together."""
        from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_fixed

        left = list(names)

        def read() -> bool:
            left[:] = [name for name in left if self._read(name)]
            return bool(left)

        Retrying(
            stop=stop_after_attempt(ATTEMPTS), wait=wait_fixed(_PAUSE), retry=retry_if_result(bool),
            sleep=self._sleep, retry_error_callback=lambda _: None,
        )(read)  # fmt: skip

    def _read(self, name: str) -> bool:
        """Read a file. Returns whether it may be half-written."""
        path = self.directory / name
        try:
            before = path.stat()
            file = _file(path, f"{self.shown}/{name}", self._limits)
            after = path.stat()
        except OSError:  # it was removed, or is being replaced
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
        found: list[tuple[Finding, SourceText | None]] = []
        for file in files:
            findings = list(file.findings)
            for schedule in file.schedules:
                if schedule.id in first:
                    findings.append(_duplicate(schedule, first[schedule.id]))
                else:
                    first[schedule.id] = schedule
            findings.sort(key=lambda finding: (finding.place.line, finding.place.column))
            found += [(finding, file.source) for finding in findings]
        return Loaded(tuple(first.values()), tuple(found))


def _is_there(entry: os.DirEntry[str]) -> bool:
    """Whether a directory entry is a file, or a link to one."""
    try:
        return entry.is_file()
    except OSError:
        return False


def _stamp(stat: os.stat_result) -> _Stamp:
    return (stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino)


def _origin(schedule: Schedule) -> ScheduleOrigin:
    assert schedule.origin is not None  # every schedule that was read from a file has one
    return schedule.origin


def _duplicate(schedule: Schedule, first: Schedule) -> Finding:
    place = _origin(first).place("id")
    return Finding(
        _origin(schedule).place("id"), f"schedule '{schedule.id}' is defined twice", "duplicate-id",
        f"the first definition is in {place.path}:{place.line}",
    )  # fmt: skip


# --- one file ----------------------------------------------------------------------------------------------


def _window(value: object) -> float:
    """A duration that may be given in days: `1d`, `1d12h`."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)d(\S*)\s*", value) if isinstance(value, str) else None
    if match is None:
        return seconds(value)
    return seconds(float(match[1]) * 86_400 + (seconds(match[2]) if match[2] else 0))


class _ScheduleModel(StrictModel):
    """The keys of a schedule in a file."""

    id: Name = Field(description="The schedule's name, unique over all files.")
    cron: str = Field(
        description="When it fires: minute, hour, day of month, month, day of week; or `@daily` and the like."
    )
    dag: str = Field(min_length=1, description="The document to run, by path or by name.")
    tenant: Name | None = Field(None, description="The tenant of its runs (default: that of the DAG).")
    enabled: bool = Field(True, description="Whether it fires.")
    timezone: str = Field("UTC", description="The time zone of `cron`, such as `Europe/Berlin`.")
    params: dict[str, Any] = Field({}, description="The parameters of its runs, by name.")
    overlap: Literal["skip", "queue", "parallel", "replace"] = Field(
        "skip", description="What a fire does while an earlier run of the schedule has not ended."
    )
    catchup: Literal["none", "latest", "all"] = Field(
        "none",
        description="Which of the fires that were missed while no scheduler was running are made up for.",
    )
    catchup_window: Annotated[float, BeforeValidator(_window)] = Field(
        86_400.0, description="The maximum age of a missed fire that is made up for."
    )
    start: str | None = Field(
        None, description="The first day, or day and time, on which it fires, in its time zone."
    )
    end: str | None = Field(
        None, description="The last day, or day and time, on which it fires, in its time zone."
    )
    jitter: Duration = Field(
        0.0,
        description="The maximum random delay of a fire; it should be shorter than the time between two fires.",
    )
    resume_window: Annotated[float, BeforeValidator(_window)] = Field(
        86_400.0, description="The maximum time since a run was interrupted for a scheduler to resume it."
    )
    sla: SlaModel | None = Field(None, description="When its runs are late (default: as the DAG says).")


def _file(path: Path, shown: str, limits: Limits) -> _ParsedFile:
    """The content of a file. Raises OSError if there is none."""
    file = _ParsedFile(())
    try:
        file.source = Source.read(path, shown, limits)
        data = file.source.load()
    except DocumentError as error:
        if error.findings[0].code == "missing-file":
            raise FileNotFoundError(str(path)) from None
        # A file of comments alone is no error: it holds no schedules.
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
    """Turns the entries of one file into Schedules, and collects every finding."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.findings: list[Finding] = []

    def schedule(self, entry: Any, path: tuple[int, ...]) -> Schedule | None:
        """The schedule of an entry; None, and findings, if it has errors."""
        before = self._errors
        if not isinstance(entry, dict):
            self._error(path, "a schedule must be a mapping with 'id', 'cron' and 'dag'", "invalid-value")
            return None
        try:
            model = _ScheduleModel.model_validate(entry)
        except ValidationError as error:
            self.findings += fields.findings(error, self.source, path, _ScheduleModel, {})
            self._timing(entry, path)
            return None
        cron, zone = self._timing(entry, path)
        start = self._bound(model.start, zone, (*path, "start"), is_end=False)
        end = self._bound(model.end, zone, (*path, "end"), is_end=True)
        if start is not None and end is not None and end < start:
            self._error((*path, "end"), "the end comes before the start", "invalid-value")
        if model.params:
            self._check_params(model.params, (*path, "params"))
        if cron is None or zone is None or self._errors > before:
            return None
        self.findings += changed_numbers(self.source, model.params, (*path, "params"))
        self._check_jitter(model.jitter, cron, (*path, "jitter"))
        return Schedule(
            id=model.id, timetable=Timetable(cron, zone), dag=model.dag, tenant=model.tenant, enabled=model.enabled,
            params=model.params, overlap=Overlap(model.overlap), catchup=Catchup(model.catchup),
            catchup_window=model.catchup_window, start=start, end=end, jitter=model.jitter,
            resume_window=model.resume_window, sla=task_parts.sla(model.sla), origin=ScheduleOrigin(self.source, path),
        )  # fmt: skip

    def _check_jitter(self, jitter: float, cron: Cron, path: tuple[str | int, ...]) -> None:
        """Warn of a delay with which a fire may start after the next one."""
        if jitter and jitter > (gap := cron.shortest_gap() * 60):
            message = f"a jitter of {duration_text(jitter)} is longer than the {duration_text(gap)} between two fires"
            hint = "a fire may start after the one that follows it: shorten 'jitter'"
            self.findings.append(Finding(self.source.place(path), message, "long-jitter", hint, "warning"))

    def _timing(self, entry: Mapping[str, Any], path: tuple[int, ...]) -> tuple[Cron | None, Zone | None]:
        """The cron expression and the zone, each None if it has errors; whatever else is wrong with the entry."""
        cron, zone = entry.get("cron"), entry.get("timezone", "UTC")
        found_cron = found_zone = None
        if isinstance(cron, str):
            try:
                found_cron = parse_cron(cron)
                if found_cron.advice:
                    place = self.source.place((*path, "cron"))
                    self.findings.append(
                        Finding(
                            place,
                            f"'cron': {found_cron.advice}",
                            "cron-days",
                            found_cron.alternative,
                            "warning",
                        )
                    )
            except CronError as error:
                place = self.source.place_within((*path, "cron"), error.offset)
                self.findings.append(Finding(place, f"'cron': {error}", "invalid-cron", error.suggestion))
        if isinstance(zone, str):
            try:
                found_zone = find_zone(zone)
            except ZoneError as error:
                self._error((*path, "timezone"), str(error), "unknown-zone", error.suggestion)
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
            self._error(path, f"'{path[-1]}' must be a date, or a date and a time", "invalid-value", hint)
            return None

    def _check_params(self, params: Mapping[str, Any], path: tuple[str | int, ...]) -> None:
        """Refuse numbers that JSON does not have: every parameter is recorded as JSON."""
        for name, value in params.items():
            try:
                json.dumps(value, allow_nan=False)
            except ValueError:
                message = f"the parameter '{name}' holds .inf or .nan, which cannot be recorded"
                self._error((*path, name), message, "invalid-value")

    @property
    def _errors(self) -> int:
        return sum(finding.level == "error" for finding in self.findings)

    def _error(self, path: tuple[str | int, ...], message: str, code: str, suggestion: str = "") -> None:
        self.findings.append(Finding(self.source.place(path), message, code, suggestion))


def _minute(text: str, zone: Zone, *, is_end: bool) -> int:
    """The first or last minute within a bound; an end that is a day includes that day. Raises ValueError."""
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
    # A start within a minute excludes the fire of that minute.
    return minute + 1 if whole != local and not is_end else minute
