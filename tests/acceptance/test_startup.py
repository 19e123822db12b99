"""Starting up is a feature: what is not needed is not imported. Counted in modules, not in milliseconds."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from tests.acceptance.harness import LONGEST, Project

PROBE = """
import atexit, sys
sys.argv = ["dagrun", *sys.argv[1:]]
from dagrun.__main__ import main
atexit.register(lambda: print("MODULES", *sys.modules))
main()
"""
#: The dataclasses that dagrun has made by the end of a command; each costs as much as 20 values made of structs.
DATACLASSES = PROBE.replace(
    "*sys.modules",
    "*{f'{type.__module__}.{type.__name__}' for name, module in list(sys.modules.items()) if name.startswith('dagrun')"
    " for type in vars(module).values() if hasattr(type, '__dataclass_fields__') and isinstance(type, __builtins__.type)}",
)
NOOP = """
@workflow("noop")
def noop():
    pass
"""
HEAVY = {"rich", "pydantic", "asyncio", "yaml", "croniter", "tenacity", "importlib.metadata"}


def loaded(project: Project, *args: str, probe: str = PROBE) -> set[str]:
    """The modules that a command has imported by its end."""
    done = subprocess.run(
        [sys.executable, "-c", probe, *args],
        capture_output=True, text=True, cwd=project.root, env=project.environment(), timeout=LONGEST,
    )  # fmt: skip
    return set(done.stdout.rpartition("MODULES")[2].split())


def test_version_imports_nearly_nothing(project: Project) -> None:
    modules = loaded(project, "--version")
    assert not modules & (HEAVY | {"typer", "inspect", "json"})


@pytest.mark.parametrize(
    "args", [["--help"], ["run", "--help"], ["why", "--help"], ["events"], ["init", "new"]]
)
def test_help_and_short_answers_import_nothing_heavy(project: Project, args: list[str]) -> None:
    modules = loaded(project, *args)
    assert modules & HEAVY == set()
    if "--help" in args:
        assert not modules & {
            "dagrun.core.model",
            "dagrun.core.work",
            "dagrun.app.service",
        }  # their dataclasses cost 20 ms


def test_validate_imports_no_loop_and_no_terminal(project: Project) -> None:
    project.write("dag.yaml", "tasks: [{id: a, run: 'true'}]")
    (project.root / "dagrun.toml").unlink()  # only where there is one it is read
    modules = loaded(project, "validate", "dag.yaml")
    assert not modules & {"rich", "asyncio", "croniter", "tenacity"}
    assert not modules & {
        "dagrun.executors.local.executor",
        "dagrun.core.events",
        "dagrun.app.service",
        "dagrun.language.scripts",
    }
    assert not modules & {
        "dagrun.core.work",
        "dagrun.registry",
        "dagrun.runtime.prepared_run",
        "dagrun.clock",
        "tomllib",
    }


def test_validate_reads_workflows_without_a_loop(project: Project) -> None:
    project.workflows(NOOP)
    project.write("dag.yaml", "tasks: [{id: a, workflow_ref: noop}]")
    modules = loaded(project, "validate", "dag.yaml")
    assert "dagrun.executors.local.executor" in modules
    assert not modules & {
        "rich",
        "asyncio",
        "ssl",
        "dagrun.core.events",
        "dagrun.app.service",
        "dagrun.language.scripts",
    }


@pytest.mark.parametrize("args", [["status"], ["runs"], ["logs"], ["why", "latest", "a"]])
def test_answers_about_runs_need_neither_yaml_nor_pydantic(project: Project, args: list[str]) -> None:
    project.write("dag.yaml", "tasks: [{id: a, run: 'echo hello'}]")
    assert project.dagrun("run", "dag.yaml").code == 0
    assert loaded(project, *args) & (HEAVY | {"dagrun.documents.dialects.detect"}) == set()


@pytest.mark.parametrize("args", [["validate", "dag.yaml"], ["run", "dag.yaml"], ["plan", "dag.yaml"]])
def test_a_document_that_was_checked_before_is_not_parsed_again(project: Project, args: list[str]) -> None:
    project.write("dag.yaml", "tasks: [{id: a, run: 'true'}]")
    project.dagrun("run", "dag.yaml")  # creates the directory of runs, beside which the cache is
    assert "yaml" in loaded(project, *args)
    project.dagrun("validate", "dag.yaml")
    assert not loaded(project, *args) & {"yaml", "pydantic", "dagrun.documents.validation.check"}
    project.write("dag.yaml", "tasks: [{id: a, run: 'echo changed'}]")
    assert "yaml" in loaded(project, *args)


def test_a_run_needs_no_encryption_and_its_bodies_may_have_it(project: Project) -> None:
    project.workflows(
        """
        @workflow("encrypts")
        def encrypts():
            import asyncio, ssl
            assert asyncio.sslproto.ssl is ssl
        """
    )
    project.write("dag.yaml", "tasks: [{id: a, workflow_ref: encrypts}]")
    modules = loaded(project, "run", "dag.yaml")
    assert "asyncio" in modules
    assert "ssl" not in modules
    assert project.events()[-1]["status"] == "success"


#: Modules that commands import by their end, Python's own included. More are a reason to look, not always a fault.
FEW_MODULES = {
    "--version": 70,
    "--help": 215,
    "status": 290,
    "runs": 290,
    "validate dag.yaml": 270,
    "run dag.yaml": 400,
}


@pytest.mark.parametrize(("command", "most"), FEW_MODULES.items(), ids=FEW_MODULES)
def test_a_command_imports_few_modules_and_makes_few_dataclasses(
    project: Project, command: str, most: int
) -> None:
    project.write("dag.yaml", "tasks: [{id: a, run: 'true'}]")
    for _ in range(2):  # the second one leaves the document in the cache
        project.dagrun("run", "dag.yaml")
    assert len(loaded(project, *command.split())) <= most
    made = loaded(project, *command.split(), probe=DATACLASSES)
    assert made <= {"dagrun.settings.Settings"}


def test_a_document_with_an_error_is_checked_each_time(project: Project) -> None:
    project.write("dag.yaml", "tasks: [{id: a, run: 'true'}]")
    project.dagrun("run", "dag.yaml")
    project.write("dag.yaml", "tasks: [{id: a, run: 'true', depends_on: [b]}]")
    first, second = (project.dagrun("validate", "dag.yaml") for _ in range(2))
    assert first.code == second.code == 2
    assert "non-existent task 'b'" in second.out


def test_a_dry_run_keeps_nothing(project: Project) -> None:
    project.write("dag.yaml", "tasks: [{id: a, run: 'true'}]")
    (project.root / "logs").mkdir(exist_ok=True)
    project.dagrun("run", "dag.yaml", "--dry-run")
    assert list((project.root / "logs").iterdir()) == []


def test_a_workflow_that_changes_makes_its_documents_new(project: Project) -> None:
    project.workflows(NOOP)
    project.write("dag.yaml", "tasks: [{id: a, workflow_ref: noop}]")
    for _ in range(2):
        assert project.dagrun("run", "dag.yaml").code == 0
    project.workflows(NOOP.replace("def noop()", "def noop(needed)"))
    assert "needs the parameter 'needed'" in project.dagrun("validate", "dag.yaml").out
    project.workflows(NOOP.replace('"noop"', '"other"'))
    assert "Unknown workflow: noop" in project.dagrun("validate", "dag.yaml").out


def test_a_run_of_workflows_does_not_read_shell(project: Project) -> None:
    project.workflows(NOOP)
    project.write("dag.yaml", "tasks: [{id: a, workflow_ref: noop}]")
    modules = loaded(project, "run", "dag.yaml")
    assert "dagrun.runtime.engine" in modules
    assert not modules & {"dagrun.language.scripts", "dagrun.views.plan", "statistics"}


def test_a_run_imports_no_terminal_where_there_is_none(project: Project) -> None:
    project.write("dag.yaml", "tasks: [{id: a, run: 'true'}]")
    assert loaded(project, "run", "dag.yaml") & {"rich", "croniter", "tenacity"} == set()


def test_dagrun_alone_shows_its_commands(project: Project) -> None:
    run = project.dagrun()
    assert run.code == 2
    assert "validate" in run.out + run.err


def test_bodies_run_with_pythons_own_settings_of_the_garbage_collector(project: Project) -> None:
    project.workflows(
        """
        @workflow("ask")
        def ask():
            import gc
            return {"threshold": list(gc.get_threshold()), "enabled": gc.isenabled()}
        """
    )
    project.write("dag.yaml", "tasks: [{id: a, workflow_ref: ask}]")
    outputs = project.dagrun("run", "dag.yaml", "-o", "json").task("a")["outputs"]
    assert outputs == {"threshold": list(gc.get_threshold()), "enabled": True}
