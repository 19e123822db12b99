"""A thousand command lines that nobody would write: each is an answer or an error, none a fault of dagrun's."""

from __future__ import annotations

import contextlib
import io
import json
import os
from pathlib import Path

import pytest

from dagrun.cli import app, output
from tests.stories.command_lines import command_lines

SEED, COUNT = 11, 400
DAG = """
    name: dag
    params: {v: x}
    tasks:
      - {id: a, run: "true"}
      - {id: b, run: "exit 0", depends_on: [a], matrix: {n: [1, 2]}}
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a run that has ended, a document with errors, and a link to itself."""
    place = tmp_path / "one" / "two" / "three"
    place.mkdir(parents=True)
    monkeypatch.chdir(place)
    for name in ("dagrun.toml", "broken.yaml"):
        (place / name).write_text("" if name == "dagrun.toml" else "tasks: [{id: a, depends_on: [b]}]")
    (place / "dag.yaml").write_text(DAG)
    (place / "loop").symlink_to("loop")
    (place / "gone").symlink_to("nowhere")
    assert app.run(["run", "dag.yaml", "--run-id", "done", "--quiet"]) == 0
    return place


def check(words: list[str], place: Path) -> None:
    """One command line ends with 0, 1 or 2; its answer is whole, and nothing looks like a fault."""
    os.chdir(place)
    printed, said = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(said):
        code = app.run(words)
    out, err = printed.getvalue(), said.getvalue()
    assert code in (0, 1, 2), (words, code)
    assert "internal error" not in out + err, (words, err)
    assert "InternalError" not in out, (words, out)
    assert "Traceback" not in out + err, (words, err)
    assert code == 0 or out or err, words
    if output.wants_json(words) and words[0] != "completion" and "--graph" not in " ".join(words) and out:
        for line in out.splitlines():
            json.loads(line)


def test_no_command_line_causes_an_internal_error(place: Path) -> None:
    for words in command_lines(SEED, COUNT):
        check(words, place)
