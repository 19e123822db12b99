"""Options as objects, which Typer fills."""

from __future__ import annotations

import pytest
import typer
from typer.main import get_command

from dagrun.cli.run_options import DagOptions, PlanOptions, RunOptions, takes
from dagrun.core.selection import EVERYTHING, Selection
from dagrun.errors import UsageError


def test_a_command_gets_one_object_with_what_was_given() -> None:
    received: list[RunOptions] = []
    app = typer.Typer(add_completion=False)

    @app.command()
    @takes(RunOptions)
    def run(options: RunOptions) -> int:
        """Run."""
        received.append(options)
        return 0

    app(["etl.yaml", "-p", "a=1", "-p", "b=2", "--only", "x", "--max-parallel", "3"], standalone_mode=False)
    (options,) = received
    assert (options.named, options.param, options.max_parallel) == ("etl.yaml", ["a=1", "b=2"], 3)
    assert options.selection == Selection(only=["x"])
    names = {param.name for param in get_command(app).params if param.name != "help"}
    assert names == set(RunOptions.names())


def test_everything_is_selected_by_default() -> None:
    assert RunOptions(file="d").selection == EVERYTHING


def test_exactly_one_dag_must_be_named() -> None:
    assert PlanOptions(dag="d").named == DagOptions(file="d").named == "d"
    with pytest.raises(UsageError, match="which DAG"):
        _ = DagOptions().named
    with pytest.raises(UsageError, match="not both"):
        _ = DagOptions(file="d", dag="d").named


def test_parameters_are_given_by_values_and_by_a_file() -> None:
    assert not RunOptions().given
    assert RunOptions(param=["a=1"]).given.params == ["a=1"]
