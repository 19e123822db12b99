"""A document: its data, the place of each value, and the text of scalars."""

from __future__ import annotations

import pytest
import yaml

from dagrun.documents.yaml import Source
from tests.unit.documents.yaml.helpers import findings, reported

FLOW = """\
name: nightly
x-base: &base
  timeout: 0x10
  retry: {max: 3}
tasks:
  - id: a
    <<: *base
    env: {PY: 3.10, "ON": on, NONE: , OCT: 0755, T: "3.10"}
  - *base
last: ~
"""


@pytest.mark.parametrize(
    ("path", "value_at", "key_at"),
    [
        ((), "1:1", "1:1"),
        (("name",), "1:7", "1:1"),
        (("tasks",), "6:3", "5:1"),
        (("tasks", 0), "6:5", "6:5"),
        (("tasks", 0, "id"), "6:9", "6:5"),
        (("tasks", 0, "env", "ON"), "8:27", "8:21"),
        (("tasks", 0, "timeout"), "3:12", "3:3"),  # merged: where it was written
        (("tasks", 1), "9:5", "9:5"),  # the alias itself
        (("tasks", 1, "retry", "max"), "4:16", "4:11"),  # inside it: the anchor's text
        (("last",), "10:7", "10:1"),
        (("tasks", 0, "env", "MISSING", "deeper"), "8:10", "8:5"),
        (("tasks", 7), "6:3", "5:1"),
        (("tasks", -1), "6:3", "5:1"),
        (("tasks", "0"), "6:3", "5:1"),
        (("name", "x"), "1:7", "1:1"),
        (("nothing",), "1:1", "1:1"),
    ],
)
def test_places(path: tuple[str | int, ...], value_at: str, key_at: str) -> None:
    source = Source.inline(FLOW, "flow.yaml")
    assert str(source.place(path)) == f"flow.yaml:{value_at}"
    assert str(source.place(path, key=True)) == f"flow.yaml:{key_at}"


def test_scalars_keep_the_text_that_was_written() -> None:
    source = Source.inline(FLOW)
    env = {key: source.written(("tasks", 0, "env", key)) for key in ("PY", "ON", "NONE", "OCT", "T")}
    assert env == {"PY": "3.10", "ON": "on", "NONE": "", "OCT": "0755", "T": "3.10"}
    assert source.written(("tasks", 0, "timeout")) == "0x10"
    assert source.written(("last",)) == "~"
    assert source.written(("tasks",)) is None
    assert source.written(("tasks", 0, "id", "x")) is None


def test_positions_cost_nothing_until_they_are_requested(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source.inline("a: {b: 1}")
    source.load()
    assert "_survey" not in vars(source)
    source.place(("a",))
    monkeypatch.setattr(yaml, "CSafeLoader", None)
    assert source.written(("a", "b")) == "1"  # the second question reads nothing


def test_broken_text_has_places() -> None:
    source = Source.inline("a: 1\nb: [x\n")
    assert str(source.place(("a",))) == "<inline>:1:4"
    assert str(source.place(("b", 0))) == "<inline>:2:5"
    assert str(Source.inline("").place(("a",))) == "<inline>:1:1"


def test_all_works_without_libyaml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml, "__with_libyaml__", False)
    source = Source.inline(FLOW)
    with_libyaml = {"timeout": 16, "retry": {"max": 3}}
    assert source.load()["tasks"][1] == with_libyaml
    assert str(source.place(("tasks", 1, "retry", "max"))) == "<inline>:4:16"
    assert reported("[" * 3000) == [("1:65", "too-deep")]
    assert findings("a:\n\tb")[0].message == "a tab is used for indentation"
    assert findings("a: [1")[0].message == "'[' is never closed"
    assert (
        findings("a:\n  b: 1\n c: 2")[0].message
        == "the indentation of this line matches none of the lines above"
    )
    assert reported("é: \x07") == [("1:4", "control-character")]
