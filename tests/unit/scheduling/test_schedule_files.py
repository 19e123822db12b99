"""Schedule files: what they define, their errors, and when they are read again."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from dagrun.documents.yaml import Source, render
from dagrun.errors import UsageError
from dagrun.scheduling import schedule_files as module
from dagrun.scheduling.schedule import Catchup, Overlap, Schedule, minute_number, minute_text
from dagrun.scheduling.schedule_files import ScheduleFiles

GOOD = "{id: good, cron: '0 9 * * *', dag: x.yaml}"


def write(directory: Path, **texts: str) -> Path:
    """Files by name, written long ago."""
    for name, text in texts.items():
        path = directory / f"{name}.yaml"
        path.write_text(text)
        os.utime(path, (1, 1))
    return directory


def read(directory: Path, **options: Any) -> ScheduleFiles:
    return ScheduleFiles(directory, "schedules", sleep=lambda _: None, **options)


def one(text: str, directory: Path) -> Schedule:
    loaded = read(write(directory, one=text)).load()
    assert not loaded.findings
    (schedule,) = loaded.schedules
    return schedule


def findings(text: str, directory: Path) -> list[str]:
    """What is reported about a file, one line each."""
    loaded = read(write(directory, one=text)).load()
    return [
        f"{place.line}:{place.column} {finding.message} [{finding.code}] {finding.suggestion}".strip()
        for finding, _ in loaded.findings
        for place in [finding.place]
    ]


def wrong(entry: str, directory: Path) -> list[str]:
    """What is reported about a schedule with one wrong key."""
    return findings(f"id: a\ncron: '0 9 * * *'\ndag: x\n{entry}\n", directory)


# --- what they say -----------------------------------------------------------------------------------------


def test_a_schedule_says_little_or_all(tmp_path: Path) -> None:
    short = one("id: a\ncron: '*/5 * * * *'\ndag: configs/dags/a.yaml\n", tmp_path)
    assert (short.id, short.dag, short.timetable.zone.name) == ("a", "configs/dags/a.yaml", "UTC")
    assert (short.tenant, short.enabled, short.params, short.jitter) == (None, True, {}, 0)
    assert (short.overlap, short.catchup, short.catchup_window) == (Overlap.SKIP, Catchup.NONE, 86_400)
    full = one(
        """
        - id: a
          cron: "@daily"
          dag: weekly
          tenant: eu
          enabled: false
          timezone: Europe/Berlin
          params: {region: eu, tries: 3}
          overlap: replace
          catchup: all
          catchup_window: 1d12h
          start: 2026-01-01
          end: 2026-01-31
          jitter: 90s
        """,
        tmp_path,
    )
    assert (full.tenant, full.enabled, full.params) == ("eu", False, {"region": "eu", "tries": 3})
    assert (full.overlap, full.catchup, full.catchup_window) == (Overlap.REPLACE, Catchup.ALL, 129_600)
    assert full.jitter == 90
    assert full.origin is not None
    assert str(full.origin.place("cron")) == "schedules/one.yaml:3:17"


def test_a_file_holds_a_list_or_one_map_and_ends_in_yaml_or_yml(tmp_path: Path) -> None:
    write(
        tmp_path,
        b="[{id: b1, cron: '@daily', dag: x}, {id: b2, cron: '@daily', dag: x}]",
        empty="[]",
        none="# none\n",
    )
    (tmp_path / "a.yml").write_text("{id: a, cron: '@daily', dag: x}")
    (tmp_path / "notes.txt").write_text("{")
    (tmp_path / ".#b.yaml").write_text("{")
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / ".#lock.yaml").symlink_to("nobody@nowhere")
    (tmp_path / "dangling.yaml").symlink_to("nowhere")
    loaded = read(tmp_path).load()
    assert [schedule.id for schedule in loaded.schedules] == ["a", "b1", "b2"]
    assert loaded.findings == ()


@pytest.mark.parametrize(
    ("key", "text", "zone", "minute"),
    [
        ("start", "2026-01-01", "UTC", "2026-01-01 00:00"),
        ("start", "2026-01-01", "Europe/Berlin", "2025-12-31 23:00"),
        ("start", "2026-01-01T09:30", "Europe/Berlin", "2026-01-01 08:30"),
        ("start", "2026-01-01 09:30:30", "UTC", "2026-01-01 09:31"),
        ("start", "2026-01-01T09:30+05:00", "Europe/Berlin", "2026-01-01 04:30"),
        ("start", "2026-09-06", "America/Santiago", "2026-09-06 04:00"),
        ("end", "2026-01-31", "UTC", "2026-01-31 23:59"),
        ("end", "2026-10-25", "Europe/Berlin", "2026-10-25 22:59"),
        ("end", "2026-01-31T09:30", "UTC", "2026-01-31 09:30"),
        ("end", "2026-01-31T09:30:30Z", "Europe/Berlin", "2026-01-31 09:30"),
    ],
)
def test_bounds_are_days_or_moments_in_the_schedules_zone(
    tmp_path: Path, key: str, text: str, zone: str, minute: str
) -> None:
    schedule = one(f"id: a\ncron: '@daily'\ndag: x\ntimezone: {zone}\n{key}: {text}\n", tmp_path)
    bound = schedule.start if key == "start" else schedule.end
    assert bound is not None
    assert minute_text(bound) == minute


def test_an_end_on_the_day_of_the_start_is_a_schedule_of_one_day(tmp_path: Path) -> None:
    schedule = one("{id: a, cron: '0 */12 * * *', dag: x, start: 2026-01-01, end: 2026-01-01}", tmp_path)
    assert [minute_text(int(at) // 60) for at in schedule.fires(0)] == [
        "2026-01-01 00:00",
        "2026-01-01 12:00",
    ]
    assert schedule.end == minute_number("2026-01-01 23:59")


# --- what is wrong -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("overlaps: skip", "4:1 unknown key 'overlaps' [unknown-key] did you mean 'overlap'?"),
        ("overlap: wait", "4:10 'overlap' must be 'skip', 'queue', 'parallel' or 'replace' [invalid-value]"),
        ("catchup: true", "4:10 'catchup' must be 'none', 'latest' or 'all' [invalid-value]"),
        ("catchup_window: soon",
         "4:17 'catchup_window': not a duration; write a number of seconds, or text such as '90s', '10m' or '1h30m' [invalid-value]"),
        ("enabled: 'no'", "4:10 'enabled' must be true or false [invalid-value] write false"),
        ("timezone: Europe/Berln", "4:11 unknown time zone 'Europe/Berln' [unknown-zone] did you mean 'Europe/Berlin'?"),
        ("tenant: a b", "4:9 'a b' is not a valid name: letters, digits, '_', '-' and '.', starting with a letter or digit, at most 128 characters [invalid-value] write a-b"),
        ("params: [1]", "4:9 'params' must be a mapping [invalid-value] write `name: value`, without `-`"),
        ("params: {a: .nan}", "4:13 the parameter 'a' holds .inf or .nan, which cannot be recorded [invalid-value]"),
        ("start: soon", "4:8 'start' must be a date, or a date and a time [invalid-value] write 2026-01-31, or 2026-01-31T09:00"),
        ("start: 2026-02-30", "4:8 'start' must be a date, or a date and a time [invalid-value] write 2026-01-31, or 2026-01-31T09:00"),
        ("end: 9999-12-31", "4:6 'end' must be a date, or a date and a time [invalid-value] write 2026-01-31, or 2026-01-31T09:00"),
        ("end: 0001-01-01", "4:6 'end' must be a date, or a date and a time [invalid-value] write 2026-01-31, or 2026-01-31T09:00"),
        ("suspend: true", "4:1 unknown key 'suspend' [unknown-key]"),
        ("schedule: x", "4:1 unknown key 'schedule' [unknown-key] here it is 'cron'"),
        ("jitter: -1s", "4:9 'jitter': not a duration; write a number of seconds, or text such as '90s', '10m' or '1h30m' [invalid-value]"),
    ],
)  # fmt: skip
def test_a_key_that_is_wrong_is_reported_at_its_place(tmp_path: Path, entry: str, expected: str) -> None:
    assert wrong(entry, tmp_path) == [expected]


def test_a_number_whose_text_is_lost_is_a_warning_and_the_schedule_is_served(tmp_path: Path) -> None:
    write(tmp_path, ops="id: a\ncron: '0 9 * * *'\ndag: a.yaml\nparams: {ver: 3.10}\n")
    loaded = read(tmp_path).load()
    assert [(each.level, each.code, each.message) for each, _ in loaded.findings] == [
        ("warning", "changed-number", "3.10 becomes the number 3.1")
    ]
    assert [schedule.params for schedule in loaded.schedules] == [{"ver": 3.1}]


def test_an_end_before_the_start_is_reported(tmp_path: Path) -> None:
    got = wrong("start: 2026-02-01\nend: 2026-01-31", tmp_path)
    assert got == ["5:6 the end comes before the start [invalid-value]"]


def test_a_key_that_is_missing_is_reported_and_so_is_all_else(tmp_path: Path) -> None:
    assert findings("id: a\ncron: '61 * * * *'\ntimezone: Mars\n", tmp_path) == [
        "1:1 missing key 'dag' [missing-key]",
        "2:8 'cron': minute: 61 is not between 0 and 59 [invalid-cron]",
        "3:11 unknown time zone 'Mars' [unknown-zone]",
    ]


def test_what_is_no_schedule_is_reported(tmp_path: Path) -> None:
    assert findings(f"- {GOOD}\n- nightly\n", tmp_path) == [
        "2:3 a schedule must be a mapping with 'id', 'cron' and 'dag' [invalid-value]"
    ]
    assert findings("hello", tmp_path) == [
        "1:1 a schedule must be a mapping with 'id', 'cron' and 'dag' [invalid-value]"
    ]


def test_a_finding_points_into_the_expression(tmp_path: Path) -> None:
    write(tmp_path, ops='- id: ops\n  cron: "0 9 * * MON,FIR"\n  dag: ops.yaml\n')
    ((finding, text),) = read(tmp_path).load().findings
    assert render(finding, text) == (
        "schedules/ops.yaml:2:22: error: 'cron': day of week: 'FIR' is not a valid value [invalid-cron]\n"
        '    2 |   cron: "0 9 * * MON,FIR"\n'
        "      |                      ^\n"
        "  help: did you mean 'FRI'?"
    )


def test_one_bad_schedule_or_file_never_hides_the_others(tmp_path: Path) -> None:
    write(
        tmp_path,
        a="- {id: a1, cron: '@daily', dag: x}\n- {id: a2, cron: '@dayly', dag: x}\n- {id: a3, cron: '@daily', dag: x}\n",
        b="- {id: b, cron: ",
        c="id: c\ncron: '@daily'\ndag: x\n",
    )
    (tmp_path / "d.yaml").write_bytes(b"\xff\xfe")
    loaded = read(tmp_path).load()
    assert [schedule.id for schedule in loaded.schedules] == ["a1", "a3", "c"]
    assert [str(finding.place) for finding, _ in loaded.findings] == [
        "schedules/a.yaml:2:19", "schedules/b.yaml:1:17", "schedules/d.yaml:1:1",
    ]  # fmt: skip


def test_the_first_of_two_that_share_an_id_is_served(tmp_path: Path) -> None:
    write(
        tmp_path,
        a="# the ops team\n- {id: ops, cron: '@daily', dag: first}\n",
        b="- {id: ops, cron: '@daily', dag: second}\n- {id: b, cron: '@daily', dag: x}\n- {id: b, cron: '@hourly', dag: x}\n",
    )
    loaded = read(tmp_path).load()
    assert [(schedule.id, schedule.dag) for schedule in loaded.schedules] == [("ops", "first"), ("b", "x")]
    assert [(str(finding.place), finding.message, finding.suggestion) for finding, _ in loaded.findings] == [
        (
            "schedules/b.yaml:1:8",
            "schedule 'ops' is defined twice",
            "the first definition is in schedules/a.yaml:2",
        ),
        (
            "schedules/b.yaml:3:8",
            "schedule 'b' is defined twice",
            "the first definition is in schedules/b.yaml:2",
        ),
    ]


@pytest.mark.parametrize(
    ("cron", "jitter", "warning"),
    [
        ("*/5 * * * *", "10m", "a jitter of 10m 00s is longer than the 5m 00s between two fires"),
        ("0 9,10 * * *", "2h", "a jitter of 2h 00m is longer than the 1h 00m between two fires"),
        ("*/5 * * * *", "5m", None),
        ("@daily", "20h", None),
        ("@weekly", "100h", None),
        ("0 0 1 * *", "600h", None),
        ("0 23,1 * * 1,2", "3h", "a jitter of 3h 00m is longer than the 2h 00m between two fires"),
        ("0 23,1 * * 1,3", "3h", None),
    ],
)
def test_a_jitter_longer_than_the_time_between_two_fires_is_a_warning(
    tmp_path: Path, cron: str, jitter: str, warning: str | None
) -> None:
    write(tmp_path, a=f"{{id: a, cron: '{cron}', dag: x, jitter: {jitter}}}")
    loaded = read(tmp_path).load()
    assert len(loaded.schedules) == 1
    assert [(finding.level, finding.message) for finding, _ in loaded.findings] == (
        [("warning", warning)] if warning else []
    )


# --- read again --------------------------------------------------------------------------------------------


def test_files_that_did_not_change_are_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, a=GOOD, b="{id: b, cron: '@daily', dag: x}")
    files = read(tmp_path)
    assert files.changed()
    first = files.load()
    assert not files.changed()
    reads: list[str] = []
    real = Source.read

    def watched(path: Path, *rest: Any) -> Source:
        reads.append(path.name)
        return real(path, *rest)

    monkeypatch.setattr(Source, "read", watched)
    assert files.load() == first
    assert reads == []
    (tmp_path / "b.yaml").write_text("{id: b, cron: '@daily', dag: other}")
    assert files.changed()
    assert [schedule.dag for schedule in files.load().schedules] == ["x.yaml", "other"]
    assert reads == ["b.yaml"]
    (tmp_path / "a.yaml").unlink()
    assert files.changed()
    assert [schedule.id for schedule in files.load().schedules] == ["b"]


def test_a_directory_that_is_missing_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no directory schedules"):
        read(tmp_path / "none").load()


def test_a_directory_that_disappears_is_reported_once_and_found_again(tmp_path: Path) -> None:
    directory = tmp_path / "schedules"
    directory.mkdir()
    write(directory, a=GOOD)
    files = read(directory)
    files.load()
    shutil.move(directory, tmp_path / "away")
    assert files.changed()
    with pytest.raises(UsageError):
        files.load()
    assert not files.changed()
    shutil.move(tmp_path / "away", directory)
    assert files.changed()
    assert [schedule.id for schedule in files.load().schedules] == ["good"]


def test_a_file_with_errors_right_after_a_change_is_read_again_before_it_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(GOOD[:20])
    naps: list[float] = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 2:
            path.write_text(GOOD)

    files = ScheduleFiles(tmp_path, sleep=sleep)
    loaded = files.load()
    assert [schedule.id for schedule in loaded.schedules] == ["good"]
    assert loaded.findings == ()
    assert len(naps) == 2
    assert not files.changed()


def test_a_file_that_stays_wrong_is_reported_in_the_end(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / f"{name}.yaml").write_text(GOOD[:20])
    naps: list[float] = []
    loaded = ScheduleFiles(tmp_path, sleep=naps.append).load()
    assert len(loaded.findings) == 3
    assert len(naps) == module.ATTEMPTS - 1  # for all of them together


def test_an_old_file_with_errors_is_reported_at_once(tmp_path: Path) -> None:
    naps: list[float] = []
    assert ScheduleFiles(write(tmp_path, a="{"), sleep=naps.append).load().findings
    assert naps == []


def test_a_file_that_changes_while_it_is_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, a=GOOD)
    real = Source.read
    reads = 0

    def changing(path: Path, *rest: Any) -> Source:
        nonlocal reads
        reads += 1
        source = real(path, *rest)
        if reads == 1:
            path.write_text(GOOD.replace("good", "better"))
        return source

    monkeypatch.setattr(Source, "read", changing)
    files = read(tmp_path)
    assert [schedule.id for schedule in files.load().schedules] == ["better"]
    assert reads == 2
    assert not files.changed()


def test_a_file_that_is_deleted_before_it_is_read_is_no_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, a=GOOD, b="{id: b, cron: '@daily', dag: x}")
    real = Source.read

    def vanishing(path: Path, *rest: Any) -> Source:
        if path.name == "a.yaml":
            path.unlink(missing_ok=True)
        return real(path, *rest)

    monkeypatch.setattr(Source, "read", vanishing)
    loaded = read(tmp_path).load()
    assert [schedule.id for schedule in loaded.schedules] == ["b"]
    assert loaded.findings == ()


def test_ten_thousand_schedules_are_read_without_a_second_look_at_the_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = (f"- {{id: s{i}, cron: '{i % 60} * * * *', dag: x}}\n" for i in range(10_000))
    write(tmp_path, many="".join(entries))
    monkeypatch.setattr(Source, "place", None)  # what places cost is paid by those who ask
    assert len(read(tmp_path).load().schedules) == 10_000
