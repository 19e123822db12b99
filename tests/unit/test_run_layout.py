"""Names from documents as names of files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dagrun.run_layout import RunLayout, file_name

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200)
LIKELY = st.text("aA.%-/ä_1", min_size=1, max_size=200)
LONG = "A" * 60


@given(NAMES | LIKELY, NAMES | LIKELY)
@example("a", "A")
@example("%41", "A")
@example("%2f", "/")
@example(".", "%2E")
@example("..", "%2E%2E")
@example("ä", "Ä")
@example(LONG + "a", LONG + "b")
def test_two_names_never_share_a_file_even_where_case_is_ignored(one: str, other: str) -> None:
    assert (file_name(one).lower() == file_name(other).lower()) == (one == other)


@given(NAMES | LIKELY)
def test_only_safe_characters_and_not_too_many(name: str) -> None:
    safe = file_name(name)
    assert re.fullmatch(r"[a-z0-9_.%A-F-]{1,150}", safe)
    assert safe not in (".", "..")


@given(LIKELY)
def test_a_name_is_never_taken_for_a_cut_one(name: str) -> None:
    cut = file_name("a" + LONG + name)
    assert "%-" in cut
    assert file_name(cut) != cut
    assert "%-" not in file_name(name[:40])


def test_plain_names_stay_as_they_are() -> None:
    assert file_name("build-2_x.y") == "build-2_x.y"


def test_everything_else_is_percent_encoded() -> None:
    assert file_name("test[os=Ä]") == "test%5Bos%3D%C3%84%5D"


@pytest.mark.parametrize("name", [".", ".."])
def test_no_name_leads_elsewhere(name: str) -> None:
    assert (Path("logs") / file_name(name)).resolve().parent == Path("logs").resolve()


def test_attempts_have_logs_and_outputs_of_their_own_and_tasks_have_artifacts() -> None:
    layout = RunLayout(Path("r"))
    attempts = [layout.attempt("a", 1), layout.attempt("a", 2), layout.attempt("A", 1)]
    for part in ("log", "outputs", "scratch"):
        assert len({str(getattr(attempt, part)).lower() for attempt in attempts}) == 3
    assert attempts[0].artifacts == attempts[1].artifacts != attempts[2].artifacts
    assert attempts[1].log == str(layout.log("a", 2))


def test_the_files_of_a_run_lie_where_scripts_look_for_them() -> None:
    layout = RunLayout(Path("logs/runs/r"))
    assert str(layout.journal) == "logs/runs/r/events.jsonl"
    assert str(layout.dag) == "logs/runs/r/dag.json"
    assert str(layout.log("Build", 2)) == "logs/runs/r/logs/%42uild.2.log"
    assert (str(layout.artifacts), str(layout.outputs)) == ("logs/runs/r/artifacts", "logs/runs/r/outputs")
