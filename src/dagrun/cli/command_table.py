"""All commands: where each is, and its line in `dagrun --help`. Only the module of the requested command is imported."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple, cast

DOCUMENTS, RUNS, RECORDS, SCHEDULES, SETUP = (
    "Documents", "Run and control", "Look at runs", "Schedules", "Set up",
)  # fmt: skip


class CommandEntry(NamedTuple):
    """One command; its function has the same name, unless it is an alias."""

    name: str
    group: str
    module: str
    summary: str
    alias_of: str = ""

    @property
    def function(self) -> Callable[..., int]:
        """The function that executes it. Imports its module."""
        return cast(
            "Callable[..., int]",
            getattr(import_module(f"dagrun.cli.{self.module}"), self.alias_of or self.name),
        )


COMMANDS = (
    CommandEntry("init", SETUP, "new_project", "Create a small example project."),
    CommandEntry("completion", SETUP, "shell_completion", "Print the completion script for a shell."),
    CommandEntry("validate", DOCUMENTS, "document_commands", "Check documents and schedules, and report every error."),
    CommandEntry("plan", DOCUMENTS, "planning", "Show the tasks of a run in their order, with expected times."),
    CommandEntry("workflows", DOCUMENTS, "document_commands", "List the registered workflows and their parameters."),
    CommandEntry("schema", DOCUMENTS, "document_commands", "Print the JSON Schema of a dialect, for editors."),
    CommandEntry("run", RUNS, "running", "Run a DAG to its end."),
    CommandEntry("cancel", RUNS, "recovery", "Cancel a run and end its processes."),
    CommandEntry("resume", RUNS, "recovery", "Continue a run: keep what succeeded, run the rest."),
    CommandEntry("rerun", RUNS, "recovery", "Start a new run that reuses results of an earlier one."),
    CommandEntry("approve", RUNS, "answering", "Approve a task that waits for it, and continue the run."),
    CommandEntry("reject", RUNS, "answering", "Reject a task that waits for an approval: it fails, and the run continues."),
    CommandEntry("signal", RUNS, "answering", "Send a signal to a run: tasks that wait for it end."),
    CommandEntry("approvals", RECORDS, "answering", "List the approvals that runs wait for, oldest first."),
    CommandEntry("status", RECORDS, "history", "Show one run: its tasks, their states and durations."),
    CommandEntry("runs", RECORDS, "history", "List runs, newest first."),
    CommandEntry("logs", RECORDS, "history", "Print the output of a run's tasks."),
    CommandEntry("why", RECORDS, "explaining", "Explain why a task ran, failed, was skipped or waits."),
    CommandEntry("events", RECORDS, "watching", "Print the recorded events of one run or of all runs."),
    CommandEntry("list", "", "history", "The same as `runs`.", alias_of="runs"),
    CommandEntry("scheduler", SCHEDULES, "schedule_commands", "Run what the schedules request, once or continuously."),
    CommandEntry("schedules", SCHEDULES, "schedule_commands", "List the schedules and their next fires."),
)  # fmt: skip
