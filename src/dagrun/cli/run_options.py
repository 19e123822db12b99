"""The options of commands that run or plan a DAG, as frozen objects that Typer fills."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar, dataclass_transform, get_type_hints

import typer

from dagrun.cli.completion_candidates import complete_document_task, complete_task
from dagrun.cli.options import DagArgument, DagOption, Form, Output, Run, Workflows, at_least
from dagrun.core.outcomes import OnError
from dagrun.errors import UsageError

if TYPE_CHECKING:  # `--help` and completion need the options alone
    from dagrun.app.run_inputs import GivenParams
    from dagrun.core.selection import Selection


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Options:
    """The base class of the options of commands: its subclasses name options, with types and defaults, and may be combined."""

    def __init__(self, **given: Any) -> None:
        if unknown := given.keys() - type(self).names():
            raise TypeError(f"there are no options {sorted(unknown)}")
        self.__dict__.update(given)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"options do not change: {name}")

    @classmethod
    def names(cls) -> list[str]:
        """The names of the options: its own ones, then inherited ones."""
        return list(dict.fromkeys(name for each in cls.__mro__ for name in inspect.get_annotations(each)))


T = TypeVar("T", bound=Options)


class Drawing(StrEnum):
    """The formats of `plan --graph`."""

    MERMAID = "mermaid"
    DOT = "dot"
    JSON = "json"


def takes(options: type[T]) -> Callable[[Callable[[T], int]], Callable[..., int]]:
    """Let a command have these options, arguments first."""

    def decorate(function: Callable[[T], int]) -> Callable[..., int]:
        @wraps(function)
        def command(**values: object) -> int:
            return function(options(**values))

        command.__annotations__ = {}
        command.__signature__ = _signature(options)  # type: ignore[attr-defined] # it is what `inspect` looks for
        return command

    return decorate


def _signature(options: type[Options]) -> inspect.Signature:
    hints = get_type_hints(options, include_extras=True)
    names = options.names()
    is_option = {
        name: not any(isinstance(each, typer.models.ArgumentInfo) for each in hints[name].__metadata__)
        for name in names
    }
    return inspect.Signature(
        [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=getattr(options, name, inspect.Parameter.empty),
                annotation=hints[name],
            )
            for name in sorted(names, key=is_option.__getitem__)
        ]
    )


class OutputOptions(Options):
    """What is printed."""

    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="Print neither progress nor a report, only errors.")
    ] = False
    form: Output = Form.TEXT

    @property
    def shows_progress(self) -> bool:
        """Whether progress is shown."""
        return not self.quiet and self.form is not Form.JSON


class DagOptions(Options):
    """Which DAG, and values that override those of its document."""

    file: DagArgument = None
    dag: DagOption = None
    tenant: Annotated[
        str | None,
        typer.Option(
            "--tenant",
            metavar="NAME",
            help="The tenant.  [default: `tenant` of the document, else local-dev]",
        ),
    ] = None
    max_parallel: Annotated[
        int | None,
        typer.Option(
            "--max-parallel",
            metavar="N",
            parser=at_least(1),
            help="The maximum number of concurrent attempts.  "
            "[default: `max_parallel` of the document, else the number of CPUs, at least 4]",
        ),
    ] = None
    workflows: Workflows = None

    @property
    def named(self) -> str:
        """The path or name of the DAG. Raises UsageError unless exactly one is given."""
        if self.file is not None and self.dag is not None:
            raise UsageError("give FILE or --dag, not both")
        named = self.file if self.dag is None else self.dag
        if named is None:
            raise UsageError("which DAG? give one FILE (or --dag FILE)")
        return named


class ParamOptions(Options):
    """Values for parameters."""

    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            "-p",
            metavar="NAME=VALUE",
            help="The value of a parameter; it overrides --params-file. Repeatable.",
        ),
    ] = None
    params_file: Annotated[
        Path | None,
        typer.Option("--params-file", metavar="PATH", help="A YAML file with a mapping of parameters."),
    ] = None

    @property
    def given(self) -> GivenParams:
        """The values that were given."""
        from dagrun.app.run_inputs import GivenParams

        return GivenParams(params=self.param or (), params_file=self.params_file)


class PlanOptions(DagOptions):
    """The options of `plan`."""

    graph: Annotated[
        Drawing | None, typer.Option("--graph", help="Print only the graph, in this format.")
    ] = None
    form: Output = Form.TEXT


_ONLY = "Run only this task, or only this variant of a task. Repeatable."
_FROM = "Run this task and every task that depends on it, directly or not. Repeatable."
_UNTIL = "Run this task and every task that it depends on, directly or not. Repeatable."


class RunOptions(ParamOptions, DagOptions, OutputOptions):
    """The options of `run`."""

    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="TASK", help=_ONLY, autocompletion=complete_document_task),
    ] = None
    start: Annotated[
        list[str] | None,
        typer.Option("--from", metavar="TASK", help=_FROM, autocompletion=complete_document_task),
    ] = None
    until: Annotated[
        list[str] | None,
        typer.Option("--until", metavar="TASK", help=_UNTIL, autocompletion=complete_document_task),
    ] = None
    on_error: Annotated[
        OnError | None,
        typer.Option(
            "--on-error",
            help="After a failure, stop the run or continue with independent tasks.  "
            "[default: `on_error` of the document]",
        ),
    ] = None
    run_id: Annotated[
        str | None,
        typer.Option(
            "--run-id",
            metavar="ID",
            help="The id of the run, which must be new.  [default: made from the time]",
        ),
    ] = None
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would run. Nothing is written.")] = (
        False
    )
    detach: Annotated[
        bool,
        typer.Option(
            "--detach", help="Run in the background: return once the run has begun, and print its id."
        ),
    ] = False
    request_from_stdin: Annotated[bool, typer.Option("--request-from-stdin", hidden=True)] = False

    @property
    def selection(self) -> Selection:
        """The tasks to run."""
        from dagrun.core.selection import Selection

        return Selection(self.only or (), self.start or (), self.until or ())


class ResumeOptions(ParamOptions, OutputOptions):
    """The options of `resume`."""

    run: Run = "latest"
    use_current: Annotated[
        bool, typer.Option("--use-current", help="Run the document as it is now, not as it was recorded.")
    ] = False
    workflows: Workflows = None
    request_from_stdin: Annotated[bool, typer.Option("--request-from-stdin", hidden=True)] = False


class ContinueOptions(ParamOptions, OutputOptions):
    """The options of commands that answer a run and continue it."""

    by: Annotated[
        str | None, typer.Option("--by", metavar="NAME", help="Who answers.  [default: the login name]")
    ] = None
    no_resume: Annotated[
        bool, typer.Option("--no-resume", help="Only record the answer; do not continue the run.")
    ] = False
    workflows: Workflows = None

    @property
    def name_of_user(self) -> str:
        """Who answers."""
        from dagrun.cli.run_signals import login

        return self.by or login()


class RerunOptions(ParamOptions, OutputOptions):
    """The options of `rerun`."""

    run: Run = "latest"
    start: Annotated[
        list[str] | None, typer.Option("--from", metavar="TASK", help=_FROM, autocompletion=complete_task)
    ] = None
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="TASK", help=_ONLY, autocompletion=complete_task)
    ] = None
    run_id: Annotated[
        str | None,
        typer.Option("--run-id", metavar="ID", help="The id of the new run.  [default: made from the time]"),
    ] = None
    workflows: Workflows = None
