"""Completion: the script for a shell, and what a TAB offers.

A TAB starts a process and somebody waits for it. So this imports neither the service nor pydantic, rich or asyncio,
reads no journal, forks nothing, and has nothing to say when something is wrong.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from functools import wraps
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec

import typer

from dagrun.cli import output
from dagrun.cli.output import Form, Output

if TYPE_CHECKING:
    from dagrun.run_layout import RunLayout
    from dagrun.settings import Settings
    from dagrun.storage.files import FileRuns

VARIABLE = "_DAGRUN_COMPLETE"  # set by the scripts: Typer then completes instead of running the command
NEWEST = 50  # runs that are offered

P = ParamSpec("P")


class Shell(StrEnum):
    """The shells there are scripts for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def register(app: typer.Typer) -> None:
    """Add this group's command; when a TAB has started us, be ready for it."""
    app.command()(completion)
    if VARIABLE in os.environ:
        _prepare()


def completion(
    shell: Annotated[Shell, typer.Argument(help="The shell that the script is for.")],
    form: Output = Form.TEXT,
) -> int:
    """Print the completion script of a shell.

    bash: eval "$(dagrun completion bash)" in ~/.bashrc; zsh: the same with zsh in ~/.zshrc, after compinit;
    fish: dagrun completion fish > ~/.config/fish/completions/dagrun.fish
    """
    from typer._completion_shared import get_completion_script

    script = get_completion_script(prog_name="dagrun", complete_var=VARIABLE, shell=shell.value)
    if form is Form.JSON:
        output.print_json({"shell": shell.value, "script": script})
    else:
        print(script)
    return 0


def _prepare() -> None:
    """Teach Typer its shells, which an app without its own completion options does not do."""
    from typer import _completion_classes as classes
    from typer._click.shell_completion import CompletionItem, ShellComplete, add_completion_class

    # Rendering the help texts of candidates would import rich, for markup that our help texts do not have.
    classes._sanitize_help_text = str  # type: ignore[assignment]

    class Bash(classes.BashComplete):
        """Bash breaks words at '=' too; Typer takes what comes out for words of their own.

        Bash then replaces what stands behind the last '=' alone, and takes what it is offered for text in the shell's
        language, as far as no quote is open.
        """

        def get_completion_args(self) -> tuple[list[str], str]:
            self.is_quoted = os.environ["COMP_WORDS"].rpartition("\n")[2][:1] in ("'", '"')
            self.before = ""
            words, incomplete = super().get_completion_args()
            joined: list[str] = []
            glued = False
            for word in [*words, incomplete]:
                if joined and (glued or word == "="):
                    joined[-1] += word
                else:
                    joined.append(word)
                glued = word == "="
            if not self.is_quoted:
                head, equals, _ = re.sub(r"^--[\w-]+=", "", joined[-1]).rpartition("=")
                self.before = head + equals
            return joined[:-1], joined[-1]

        def format_completion(self, item: CompletionItem) -> str:
            value = str(item.value)
            if not value.endswith("]"):  # no variant, whose brackets mean something to a shell
                return value
            if self.is_quoted:
                return value.replace("'", "'\\''")
            if self.before and value.startswith(self.before):
                return re.sub(r"([^\w@%+:,./=-])", r"\\\1", value[len(self.before) :])
            return shlex.quote(value)

    class WholeWords(ShellComplete):
        """The other shells replace the whole of `--run=2025`: what is offered for it must begin with `--run=`."""

        def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
            found = super().get_completions(args, incomplete)
            flag, equals, _ = incomplete.partition("=")
            if flag.startswith("--") and equals:
                for item in found:
                    item.value = f"{flag}={item.value}"
            return found

    class Zsh(classes.ZshComplete, WholeWords):
        pass

    class Fish(classes.FishComplete, WholeWords):
        pass

    for cls in (Bash, Zsh, Fish):
        add_completion_class(cls, cls.name)


def _silent(offer: Callable[P, Iterable[str]]) -> Callable[P, list[str]]:
    """Whatever is wrong, a TAB says nothing."""

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
    yield from islice((run_id for run_id in _runs().ids() if run_id.startswith(incomplete)), NEWEST)


@_silent
def complete_task(ctx: typer.Context, incomplete: str) -> Iterator[str]:
    """The tasks of the run that stands before (parameter `run`; without one, of the latest).

    Of a task with variants its name and what theirs begin with; these once the bracket is there.
    """
    from dagrun.run_layout import RunLayout

    named = ctx.params.get("run") or "latest"
    runs = _runs()
    for run_id in runs.ids():
        if named == "latest" or run_id.startswith(named):
            layout = RunLayout(runs.directory / run_id)
            document = json.loads(layout.dag.read_bytes())
            yield from _starting(incomplete, _tasks(document["tasks"], incomplete, layout))
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
    """Those of a matrix; of a list those that have a log, for the journal is not read."""
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
    """DAGs by name, and YAML files. Where directories could be meant, nothing: then the shell completes paths."""
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
    """The tasks of the document that stands before (parameter `file` or `dag`); behind a bracket the variants of one."""
    from dagrun.documents import lookup

    # Before an option without its value Typer leaves the arguments unread.
    named = ctx.params.get("file") or ctx.params.get("dag") or next(iter(ctx.args), "")
    settings = _settings()
    by_name = lookup.named(settings.path(settings.dags_dir), named)
    by_path = [path for path in (Path(named).expanduser(), settings.path(named)) if path.is_file()]
    path = next(iter(by_path if "/" in named or not by_name else by_name), None)
    if path is None:
        return iter(())
    return _starting(incomplete, _written_variants(path) if "[" in incomplete else lookup.task_ids(path))


def _written_variants(path: Path) -> Iterable[str]:
    """All variants that are known from a document. It has to be read for them, which takes a moment."""
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
