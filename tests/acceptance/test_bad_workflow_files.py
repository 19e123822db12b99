"""Files with workflows that cannot be read are reported with their place; what does not need them runs."""

from __future__ import annotations

import pytest

from tests.acceptance.harness import Project

GOOD = """
from dagrun import workflow

@workflow("good")
def good(name: str = "you"):
    "Say hello."
    return {"greeting": "hello " + name}
"""

BAD = {
    "syntax.py": ("def broken(:\n    pass\n", "syntax.py:1:12: invalid syntax"),
    "imports.py": ("\nimport nothing_of_that_name\n", "imports.py:2: ModuleNotFoundError: No module named 'nothing_of_that_name'"),
    "exits.py": ("import sys\nsys.exit(3)\n", "it calls sys.exit(3) while it is imported"),
    "dies.py": ("import os\nos._exit(0)\n", "it ends the process while it is imported"),
    "crashes.py": ("import ctypes\nctypes.string_at(0)\n", "it ends the process while it is imported"),
    "hangs.py": ("import time\ntime.sleep(600)\n", "it is still being imported after 10 s"),
    "twice.py": (
        GOOD.replace('"good"', '"twice"') * 2, ": ValueError: workflow 'twice' is registered twice: in ",
    ),
    "missing.py": ("", "no such file: "),
    "binary.py": ("\0\0\0", "source code string cannot contain null bytes"),
}  # fmt: skip


def listed(project: Project, *names: str) -> None:
    project.write("dagrun.toml", f"workflows = [{', '.join(repr(name) for name in names)}]\n")


def test_what_can_be_read_is_listed_and_what_cannot_is_reported(project: Project) -> None:
    for name, (text, _) in BAD.items():
        if text:
            project.write(name, text.encode())
    project.write("good.py", GOOD)
    project.write(
        "prints.py", "print('loud')\nimport os; os.write(1, b'louder')\n" + GOOD.replace("good", "loud")
    )
    listed(project, *BAD, "good.py", "prints.py")
    project.write(
        "dag.yaml", "name: dag\ntasks: [{id: a, workflow_ref: good}, {id: b, workflow_ref: loud}]\n"
    )

    listing = project.answer("workflows", env={"DAGRUN_IMPORT_PATIENCE_MS": "10000"})
    assert listing.code == 2
    assert "good(name: str = 'you')\n    Say hello.\n" in listing.out
    assert "loud(name" in listing.out
    assert "louder" not in listing.out
    reported = listing.err.splitlines()
    assert len(reported) == len(BAD), listing.err
    for name, (_, words) in BAD.items():
        line = next(line for line in reported if f"/{name}:" in line)
        assert line.startswith("Error: cannot read workflows from ")
        assert words in line


def test_a_run_that_calls_no_workflow_reads_no_file(project: Project) -> None:
    project.write("dies.py", BAD["dies.py"][0])
    listed(project, "dies.py")
    project.write("dag.yaml", "name: dag\ntasks: [{id: a, run: 'true'}]\n")
    run = project.answer("run", "dag.yaml", "-q")
    assert run.code == 0, run.err


@pytest.mark.parametrize("name", ["syntax.py", "dies.py", "missing.py"])
def test_a_run_that_needs_the_bad_file_does_not_begin(project: Project, name: str) -> None:
    if name != "missing.py":
        project.write(name, BAD[name][0])
    project.write("dag.yaml", "name: dag\ntasks: [{id: a, workflow_ref: wanted}]\n")
    before = project.files()
    run = project.answer("run", "dag.yaml", "--workflows", name)
    assert (run.code, run.out) == (2, "")
    assert "RunnerError: Unknown workflow: wanted" in run.err
    assert BAD[name][1] in run.err  # why it is unknown
    assert project.files() == before


def test_a_module_may_be_named_as_well_as_a_file(project: Project) -> None:
    project.write("team/__init__.py", "")
    project.write("team/flows.py", GOOD)
    project.write("dag.yaml", "name: dag\ntasks: [{id: a, workflow_ref: good, params: {name: Ada}}]\n")
    run = project.answer("run", "dag.yaml", "--workflows", "team.flows", "-o", "json")
    assert run.task("a")["outputs"] == {"greeting": "hello Ada"}
    unknown = project.answer("workflows", "--workflows", "team.flwos")
    assert (unknown.code, "No module named 'team.flwos'" in unknown.err) == (2, True)
