"""The table of all commands."""

from __future__ import annotations

import pytest

from dagrun.cli.command_table import COMMANDS, CommandEntry


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.name)
def test_a_command_exists_and_its_help_text_begins_with_its_summary(entry: CommandEntry) -> None:
    summary, *_ = (entry.function.__doc__ or "").splitlines()
    assert summary == entry.summary or entry.alias_of


def test_names_are_unique() -> None:
    names = [entry.name for entry in COMMANDS]
    assert len(names) == len(set(names))
