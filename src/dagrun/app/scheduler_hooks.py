"""Runs the hooks of the project for a scheduler: `python -m dagrun.app.scheduler_hooks`, in the project root.

Standard input has the key of the hooks and what they are about. Each time is a small run of its own in `logs/hooks`.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagrun import settings as all_settings
from dagrun.app import wiring
from dagrun.clock import to_rfc3339
from dagrun.core.hooks import name_of
from dagrun.core.model import Dag, Dependency, Hook, OnError, Task, Trigger
from dagrun.core.record import mark_interrupted, replay
from dagrun.errors import DagrunError
from dagrun.runtime.expression_scope import run_values
from dagrun.runtime.run_summary import run_summary
from dagrun.scheduling.schedule import minute_number
from dagrun.value import replace
from dagrun.views.report import failures

if TYPE_CHECKING:
    from dagrun.app.service import Service
    from dagrun.core.work import Json
    from dagrun.runtime.prepared_run import PreparedRun
    from dagrun.settings import Settings

#: How many of the small runs are kept.
KEPT = 100


def main() -> int:
    """Run the hooks, one after the other. Prints a warning for each that failed; its exit code is then 1."""
    request = json.load(sys.stdin)
    key = request["key"]
    try:
        settings = all_settings.load()
        about, summary = _interrupted(settings, request) if "run_id" in request else _schedule_error(request)
        logs = settings.path(settings.state_path).parent / "hooks"
        own = dataclasses.replace(
            settings, runs_dir=str(logs), events_path=str(logs / "events.jsonl"), hooks={}, hooks_path=None
        )
        with wiring.service(settings) as project, wiring.service(own, runs=True) as service:
            hooks = [hook for hook in project.documents.project_hooks.hooks if hook.on == key]
            dag = _dag(key, hooks, project.documents.project_hooks.secrets)
            problems = _run(service, dag, about, summary)
        _prune(logs)
    except (DagrunError, OSError) as error:
        problems = [f"hooks {key}: {error}"]
    for problem in problems:
        print(f"Warning: {problem}")
    return 1 if problems else 0


def _run(service: Service, dag: Dag, about: Mapping[str, Json], summary: Mapping[str, Json]) -> list[str]:
    """Run the hooks as the tasks of a DAG; a sentence for each that failed."""
    prepared: PreparedRun = replace(service.documents.recorded(dag, "", {}), roots=about, summary=summary)
    ended = asyncio.run(service.run(prepared))
    found = (sentence.removeprefix("RunnerError: Task ") for sentence in failures(ended.view))
    return [f"hook {sentence} (logs/hooks/{ended.run_id})" for sentence in found]


def _dag(key: str, hooks: Sequence[Hook], secrets: tuple[str, ...]) -> Dag:
    """The hooks as tasks, each after the one before, whatever became of that."""
    tasks: list[Task] = []
    for hook in hooks:
        name = name_of(hook).removeprefix("project.")
        needs = (Dependency(tasks[-1].id),) if tasks else ()
        task = replace(hook.task, id=name, needs=needs, trigger=Trigger.ALWAYS)
        tasks.append(replace(task, env={"DAGRUN_HOOK": name, **task.env}))
    return Dag(name=key, tasks=tuple(tasks), secrets=secrets, on_error=OnError.CONTINUE)


def _interrupted(settings: Settings, request: Mapping[str, Any]) -> tuple[dict[str, Json], dict[str, Json]]:
    """What expressions can read about an interrupted run, and what a message says."""
    with wiring.service(settings) as service:
        runs, run_id = service.runs, service.run_id(request["run_id"])
        state = replay(runs.read(run_id))
        mark_interrupted(state)
        now = service.clock.now()

        def log_tail(task_id: str, attempt: int) -> str | None:
            from dagrun.storage.log_position import last_lines

            return last_lines(runs.log_path(run_id, task_id, attempt))

        scheduled_at = state.start.scheduled_at if state.start is not None else None
        values = run_values(state.graph.dag, run_id, state.started_at or now, scheduled_at)
        values |= {"status": str(state.status), "reason": state.reason, "failed": list(state.failures())}
        return {"run": values}, run_summary(state, run_id, now, log_tail)


def _schedule_error(request: Mapping[str, Any]) -> tuple[dict[str, Json], dict[str, Json]]:
    """The same for a fire that could not become a run."""
    schedule = request["schedule"]
    summary: dict[str, Json] = {
        "run_id": None,
        "dag_name": schedule["id"],
        "status": "schedule_error",
        "reason": f"{schedule['reason']}: {schedule['error']}",
        "schedule_id": schedule["id"],
        "scheduled_at": to_rfc3339(minute_number(schedule["minute"]) * 60.0),
        "failed_count": 0,
        "failed": [],
    }
    return {"schedule": schedule}, summary


def _prune(directory: Path) -> None:
    """Keep the newest of the small runs."""
    for old in sorted((path for path in directory.iterdir() if path.is_dir()), reverse=True)[KEPT:]:
        with suppress(OSError):
            shutil.rmtree(old)


if __name__ == "__main__":
    sys.exit(main())
