"""The scheduler: a loop that only sleeps and asks. What is due is decided in `due`, settled in `firing`, run by the `crew`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from dagrun.errors import DagrunError, RecordError, UsageError
from dagrun.schedules.crew import Crew, Tally
from dagrun.schedules.due import Agenda
from dagrun.schedules.files import Loaded
from dagrun.schedules.firing import Firing, Record, Report
from dagrun.schedules.openruns import Life, OpenRun
from dagrun.schedules.runner import Fate, Runner
from dagrun.source import render
from dagrun.work import Json

RELOAD = 5.0  # seconds between two looks at the directory and at other schedulers
LITTER = 3600.0  # seconds after which nobody is still writing a file
NEVER = float("-inf")


class Files(Protocol):
    """Where schedules come from."""

    def changed(self) -> bool:
        """Whether `load` might say something else than last time."""
        ...

    def load(self) -> Loaded:
        """All schedules and findings. Raises UsageError when the directory is not there."""
        ...


class Bell(Protocol):
    """What wakes a scheduler."""

    #: How often it was asked to stop.
    stops: int

    def wait(self, seconds: float) -> None:
        """Return after so long, or as soon as a run has ended or somebody wants an end."""
        ...


class Scheduler:
    """One scheduler of a store. Any number of them, in any number of processes, fire every minute once."""

    def __init__(
        self, files: Files, directory: Path, runner: Runner, record: Record, report: Report, now: Callable[[], float],
        bell: Bell, *, limit: int = 3, tick: float = 1.0, grace: float = 30.0,
    ) -> None:  # fmt: skip
        self.files = files
        self.now = now
        self.bell = bell
        self.tick = tick
        self.grace = grace
        self.report = report
        self.runner = runner
        self.life = Life(directory / ".alive", now())
        self.firing = Firing(directory, self.life, runner, self._recording(record), report)
        self.crew = Crew(
            self.firing.open, runner, limit, self.firing.is_active, self.firing.record, report
        )  # fmt: skip
        self.firing.open.tidy(now() - LITTER)
        self.agenda = Agenda()
        self._told: frozenset[str] = frozenset()
        self._gone = ""
        self._left: set[str] = set()
        self._looked = NEVER

    def close(self) -> None:
        """Let go of everything; what is still in hand is left to other schedulers."""
        self.life.end()

    # --- the two ways of life ------------------------------------------------------------------------------

    def once(self, now: float, minute: str | None = None) -> Tally:
        """One tick for a moment, or for a minute that somebody named; then everything that it started to its end."""
        self.crew.tally = tally = Tally()
        self._sweep(resume=False)
        if minute is None:
            self._take_due(now)
        else:
            for schedule in list(self.agenda.schedules.values()):
                self._add(self.firing.take_minute(schedule, minute, now))
        self.crew.poll(self.now())
        while not self.crew.is_idle and not self.bell.stops:
            self.bell.wait(self.tick)
            self.crew.poll(self.now())
        self._wind_up()
        return tally

    def serve(self) -> None:
        """A tick every `tick` seconds until somebody wants an end."""
        self._sweep(resume=True)
        self._looked = self.now()
        while not self.bell.stops:
            self.turn()
            self.bell.wait(self.tick)
        self._wind_up()

    def turn(self) -> None:
        """One tick."""
        now = self.now()
        if not 0 <= now - self._looked < RELOAD:  # also when a clock was put back
            self._looked = now
            self.reload()
            try:
                self._sweep(resume=False)
            except (OSError, DagrunError) as error:  # what others have left can wait
                self.report(f"Error: cannot see what other schedulers have left: {error}")
        self._take_due(now)
        self.crew.poll(now)

    def _take_due(self, now: float) -> None:
        for schedule in self.agenda.due(now):
            self._add(self.firing.take(schedule, now, self.agenda.again))

    def _add(self, runs: Iterable[OpenRun]) -> None:
        for run in runs:
            self.crew.add(run)

    def _wind_up(self) -> None:
        """No new runs; those that run get a grace, and then they are left interrupted. A second wish ends it at once."""
        until = self.now() + self.grace
        wishes = self.bell.stops
        if self.crew.own:
            self.report(f"Stopping: {len(self.crew.own)} running, at most {self.grace:g}s more")
        while self.crew.own and self.now() < until and self.bell.stops == wishes:
            self.bell.wait(min(self.tick, max(0.0, until - self.now())))
            self.crew.poll(self.now(), starting=False)
        self.crew.kill()

    # --- the directory -------------------------------------------------------------------------------------

    def load(self) -> Loaded:
        """Read the schedules. Raises UsageError when the directory is not there."""
        loaded = self.files.load()
        self.agenda.replace(loaded.schedules)
        told = [render(finding, source) for finding, source in loaded.findings]
        for text in told:
            if text not in self._told:
                self.report(text)
        self._told = frozenset(told)
        return loaded

    def reload(self) -> None:
        """Take up what has changed. A directory that has vanished is told of once; its schedules go on as they were."""
        try:
            if self.files.changed():
                self.load()
                if self._gone:
                    self.report("The schedules are there again")
                self._gone = ""
        except UsageError as error:
            if self._gone != error.message:
                self.report(f"Error: {error.message}; its schedules go on as they were")
            self._gone = error.message

    # --- what others have left -----------------------------------------------------------------------------

    def _sweep(self, *, resume: bool) -> None:
        """Take over the runs of schedulers that have died; `resume`: those too that were interrupted."""
        orphans: dict[str, list[str]] = {name: [] for name in self.life.dead()}
        for run in self.firing.open.all():
            if run.run_id not in self.crew and (resume or run.run_id not in self._left):
                orphans.setdefault(run.by, []).append(run.run_id)
        for name, run_ids in orphans.items():
            if name == self.life.name or (run_ids and self.life.lives(name)):
                continue
            with self.life.inheriting(name) as is_heir:
                for run_id in run_ids if is_heir else ():
                    open_run = self.firing.open.get(run_id)
                    if open_run is not None and open_run.by == name:
                        self._inherit(open_run, resume=resume)

    def _inherit(self, run: OpenRun, *, resume: bool) -> None:
        fate = self.runner.fate(run.run_id)
        if fate is Fate.ENDED:
            self.crew.finished(run, self.runner.ending(run.run_id))
        elif fate is Fate.UNBORN:
            claim = self.firing.claims.find(run.schedule_id, run.minute)
            if claim is None or claim.run_id != run.run_id:
                self.firing.open.drop(run.run_id)
            else:
                self._take_over(run)
        elif resume or (fate is Fate.LIVE and self.crew.tally is None):
            self._take_over(run, fate)
        else:
            self._left.add(run.run_id)

    def _take_over(self, run: OpenRun, fate: Fate = Fate.UNBORN) -> None:
        run = replace(run, by=self.life.name)
        try:
            self.firing.open.put(run)
        except RecordError as error:
            self.report(f"Error: {error.message}")
            return
        if fate is Fate.LIVE:
            self.crew.watch(run)
        else:
            self.crew.add(run, again=fate is Fate.INTERRUPTED)

    def _recording(self, record: Record) -> Record:
        """What cannot be told does not stop what can be done: claims are the truth, the state store is for people."""

        def attempt(line: Mapping[str, Json]) -> None:
            try:
                record(line)
            except (RecordError, ValueError) as error:
                self.report(f"Error: {error}")

        return attempt
