"""What a TAB offers for the values of arguments and options.

A TAB starts a process while somebody waits. So this imports neither the service nor pydantic, Rich or asyncio, reads no
journal, forks nothing, and prints no errors.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

import typer

if TYPE_CHECKING:
    from dagrun.run_layout import RunLayout
    from dagrun.settings import Settings
    from dagrun.storage.files import FileRuns

NEWEST = 50  # runs that are offered

P = ParamSpec("P")


def _silent(offer: Callable[P, Iterable[str]]) -> Callable[P, list[str]]:
    """Offer nothing when anything is wrong."""

    @wraps(offer)
    def offered(*args: P.args, **kwargs: P.kwargs) -> list[str]:
        from dagrun.errors import DagrunError

        try:
            return list(offer(*args, **kwargs))
        except (DagrunError, OSError, ValueError, LookupError, TypeError, AttributeError):
            return []

    return offered


@_silent
def complete_run(incomplete: str) -> Iterator[str]:
    """The newest runs, newest first, and `latest`."""
    if "latest".startswith(incomplete):
        yield "latest"
    newest = (run_id for run_id in _runs().ids(children=False) if run_id.startswith(incomplete))
    yield from islice(newest, NEWEST)


@_silent
def complete_task(ctx: typer.Context, incomplete: str) -> Iterator[str]:
    """The tasks of the run that is given before (parameter `run`, default: the newest).

    For a task with variants: its name, and its name with a bracket; after the bracket, its variants.
    """
    for document, layout in _recorded_dag(ctx):
        yield from _starting(incomplete, _tasks(document["tasks"], incomplete, layout))


@_silent
def complete_log(ctx: typer.Context, incomplete: str) -> Iterator[str]:
    """What has a log: the tasks, as `complete_task` offers them, and the hooks."""
    for document, layout in _recorded_dag(ctx):
        hooks = (hook["task"]["id"] for hook in document.get("hooks", ()))
        yield from _starting(incomplete, [*_tasks(document["tasks"], incomplete, layout), *hooks])


def _recorded_dag(ctx: typer.Context) -> Iterator[tuple[Mapping[str, Any], RunLayout]]:
    """The recorded DAG of the run that is given before, if there is such a run."""
    from dagrun.blobs import read_regular
    from dagrun.run_layout import RunLayout

    named = ctx.params.get("run") or "latest"
    runs = _runs()
    for run_id in runs.ids(children=named != "latest"):
        if named == "latest" or run_id.startswith(named):
            layout = RunLayout(runs.directory / run_id)
            yield json.loads(read_regular(layout.dag)), layout
            return


def _tasks(tasks: Iterable[Mapping[str, Any]], incomplete: str, layout: RunLayout) -> Iterator[str]:
    base, bracket, _ = incomplete.partition("[")
    for task in tasks:
        several = task.get("matrix") is not None or task.get("for_each") is not None
        if not bracket:
            yield from (task["id"], task["id"] + "[") if several else (task["id"],)
        elif several and task["id"] == base:
            yield from _variants(task, layout)


def _variants(task: Mapping[str, Any], layout: RunLayout) -> Iterable[str]:
    """The variants of a matrix; of a list those that have a log, because the journal is not read."""
    from dagrun.core.model import Matrix
    from dagrun.core.variants import variant_id, variants

    if (matrix := task.get("matrix")) is not None:
        axes = {name: tuple(values) for name, values in matrix["axes"].items()}
        found = variants(
            Matrix(axes=axes, exclude=tuple(matrix["exclude"]), include=tuple(matrix["include"]))
        )
        return [variant_id(task["id"], key) for key in found]
    logs = re.compile(
        re.escape(layout.log(task["id"] + "[", 1).name.removesuffix(".1.log")) + r"(\d+)%5D\.\d+\.log"
    )
    numbers = {int(match[1]) for path in layout.logs.iterdir() if (match := logs.fullmatch(path.name))}
    return [variant_id(task["id"], str(number)) for number in sorted(numbers)]


@_silent
def complete_dag(incomplete: str) -> Iterator[str]:
    """DAGs by name, and YAML files. Nothing where a directory is possible: then the shell completes paths."""
    from dagrun.documents import lookup

    directory, _, start = incomplete.rpartition("/")
    here = Path(f"{directory}/").expanduser() if directory or incomplete.startswith("/") else Path()
    files = [path.name for path in lookup.documents(here) if path.name.startswith(start)]
    if "/" in incomplete:
        if not any(entry.is_dir() for entry in here.glob(f"{start}*")):
            yield from (f"{directory}/{name}" for name in files)
        return
    yield from _starting(incomplete, dict.fromkeys(_dag_names()))
    yield from files


@_silent
def complete_document_task(ctx: typer.Context, incomplete: str) -> Iterator[str]:
    """The tasks of the document that is given before (parameter `file` or `dag`); after a bracket, the variants of a task."""
    from dagrun.documents import lookup

    # Before an option that lacks its value, Typer does not parse the arguments.
    named = ctx.params.get("file") or ctx.params.get("dag") or next(iter(ctx.args), "")
    settings = _settings()
    by_name = lookup.named(settings.path(settings.dags_dir), named)
    by_path = [path for path in (Path(named).expanduser(), settings.path(named)) if path.is_file()]
    path = next(iter(by_path if "/" in named or not by_name else by_name), None)
    if path is None:
        return iter(())
    return _starting(incomplete, _written_variants(path) if "[" in incomplete else lookup.task_ids(path))


def _written_variants(path: Path) -> Iterable[str]:
    """The variants that are known from a document, which has to be read for them."""
    from dagrun.core.selection import REST, variants_of
    from dagrun.documents.dialects import detect
    from dagrun.documents.yaml import Source

    source = Source.read(path)
    for task in detect.to_dag(source.load(), source, path.stem).dag.tasks:
        if isinstance(task.for_each, tuple):
            yield from (f"{task.id}[{number}]" for number in range(len(task.for_each)))
        else:
            yield from (name for name in variants_of(task, ()) if name != task.id + REST)


@_silent
def complete_event(incomplete: str) -> Iterator[str]:
    """The names of events."""
    from dagrun.core.events import EVENTS

    return _starting(incomplete, EVENTS)


def _starting(incomplete: str, names: Iterable[str]) -> Iterator[str]:
    return (name for name in names if name.startswith(incomplete))


def _dag_names() -> Iterator[str]:
    from dagrun.documents import lookup

    settings = _settings()
    for path in lookup.documents(settings.path(settings.dags_dir)):
        yield lookup.declared_name(path) or lookup.stem(path)


def _runs() -> FileRuns:
    from dagrun.storage.files import FileRuns

    settings = _settings()
    return FileRuns(settings.path(settings.runs_dir), settings.path(settings.events_path))


def _settings() -> Settings:
    from dagrun import settings

    return settings.load()
