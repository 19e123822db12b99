"""Keys, merges, aliases and limits: data, or findings."""

from __future__ import annotations

import gc
import time
from typing import Any

import pytest

from dagrun.documents.yaml import Limits, Place, Source
from tests.unit.documents.yaml.helpers import findings, load, reported


def test_keys_are_the_text_that_was_written() -> None:
    assert load("{on: 1, 1: 2, 1.10: 3, true: 4, '': 5, 'null': 6, '<<': 7, 2024-01-31: 8}") == {
        "on": 1, "1": 2, "1.10": 3, "true": 4, "": 5, "null": 6, "<<": 7, "2024-01-31": 8
    }  # fmt: skip


def test_a_duplicate_key_names_the_first_line() -> None:
    (finding,) = findings("a: 1\nb:\n  x: 1\n  y: 2\n  'x': 3\n")
    assert finding.message == "key 'x' is written twice, first on line 3"
    assert (finding.place, finding.code) == (Place("<inline>", 5, 3), "duplicate-key")


def test_keys_that_are_not_text_are_findings() -> None:
    assert reported("? [a]\n: b\n? {c: d}\n: e\nf: g\nf: h") == [
        ("1:3", "complex-key"), ("3:3", "complex-key"), ("6:1", "duplicate-key")
    ]  # fmt: skip
    assert reported("~: 1\nb:\n  null: 2\n  ~: 3\n!!null '': 4") == [
        ("1:1", "null-key"), ("3:3", "null-key"), ("4:3", "null-key"), ("5:1", "null-key")
    ]  # fmt: skip


def test_a_key_can_be_an_alias() -> None:
    assert load("a: &x text\n*x : 1\n&y 2: *y") == {"a": "text", "text": 1, "2": 2}
    assert reported("a: &x [b]\n*x : 1") == [("2:1", "complex-key")]


def test_own_keys_win_over_merged_keys() -> None:
    assert load("base: &b {x: 1, y: 2}\nown:\n  y: 3\n  <<: *b\n")["own"] == {"x": 1, "y": 3}


def test_the_first_of_several_merged_mappings_wins() -> None:
    text = "a: &a {x: 1}\nb: &b {<<: *a, x: 2, y: 2}\nc: {<<: [*a, *b, {z: 3}]}"
    assert load(text)["c"] == {"x": 1, "y": 2, "z": 3}


@pytest.mark.parametrize("value", ["5", "[a]", "[{}, 1]", "~"])
def test_only_mappings_can_be_merged(value: str) -> None:
    assert [code for _, code in reported(f"a: {{<<: {value}}}")] == ["merge"]


def test_two_merges_in_one_mapping_are_a_duplicate_key() -> None:
    assert reported("<<: {a: 1}\n<<: {b: 1}") == [("2:1", "duplicate-key")]


def test_aliases_share_their_value() -> None:
    data = load("a: &x [1, {b: 2}]\nc: *x\nd: &x 3\ne: *x")
    assert data == {"a": [1, {"b": 2}], "c": [1, {"b": 2}], "d": 3, "e": 3}
    assert data["a"] is data["c"]


def test_an_undefined_alias_is_named() -> None:
    (finding,) = findings("defaults: &default 1\nb: *defaults")
    assert finding.message == "alias '*defaults' has no anchor '&defaults' before it"
    assert finding.suggestion == "did you mean '*default'?"


@pytest.mark.parametrize("text", ["&a [*a]", "a: &a {b: [*a]}", "a: &a {<<: *a}"])
def test_an_alias_inside_its_own_anchor_is_a_finding(text: str) -> None:
    assert [code for _, code in reported(text)] == ["recursive-alias"]


def bomb(levels: int, width: int) -> str:
    lines = ["l0: &l0 [x]"]
    lines += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * width)}]" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(("levels", "width"), [(9, 9), (4, 1000), (10, 8)])
def test_an_alias_bomb_is_refused_at_once(levels: int, width: int) -> None:
    start = time.process_time()
    assert [code for _, code in reported(bomb(levels, width))] == ["too-many-nodes"]
    assert time.process_time() - start < 1


def test_merging_counts_as_much_as_repeating() -> None:
    keys = ", ".join(f"k{n}: 1" for n in range(1000))
    text = f"base: &b {{{keys}}}\n" + "".join(f"m{n}: {{<<: *b}}\n" for n in range(1000))
    assert [code for _, code in reported(text)] == ["too-many-nodes"]


def test_nodes_are_counted_exactly() -> None:
    text = "a: &a [1, 2]\nb: [*a, *a]\n"  # each use adds a list and two items
    assert Source.inline(text, limits=Limits(extra_nodes=6)).load()
    assert reported(text, Limits(extra_nodes=5)) == [("2:9", "too-many-nodes")]


def test_depth_is_counted_to_the_level() -> None:
    assert Source.inline("[" * 64 + "]" * 64).load()
    assert reported("[" * 65 + "]" * 65) == [("1:65", "too-deep")]
    assert reported("a:\n  b:\n    - c: 1", Limits(depth=3)) == [("3:7", "too-deep")]


@pytest.mark.parametrize("bracket", ["[", "{", "- ", "? ", "[a, ", "{a: "])
def test_thirty_thousand_brackets_give_one_clean_finding(bracket: str) -> None:
    assert [code for _, code in reported(bracket * 30_000)][-1] == "too-deep"


def test_depth_is_counted_through_aliases() -> None:
    chain = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 64))
    assert reported(chain) == [("64:12", "too-deep")]
    assert Source.inline(chain, limits=Limits(depth=65)).load()


@pytest.mark.parametrize(
    "text", ["", "  \n\n", "# only a comment\n", "---\n", "--- # nothing\n...\n", "\ufeff"]
)
def test_an_empty_file_is_a_finding(text: str) -> None:
    (finding,) = findings(text)
    assert (finding.message, finding.code, str(finding.place)) == (
        "the file is empty",
        "empty",
        "<inline>:1:1",
    )


@pytest.mark.parametrize(("text", "value"), [("null", None), ("''", ""), ("{}", {}), ("---\n5\n...\n", 5)])
def test_a_document_may_be_any_value(text: str, value: Any) -> None:
    assert load(text) == value


def test_a_second_document_is_a_finding() -> None:
    assert reported("a: 1\n---\nb: 2\n---\nc: 3") == [("2:1", "many-documents")]


def test_all_findings_come_at_once_and_a_syntax_error_last() -> None:
    text = "a: 1\na: 2\nb: !x 3\nc: *nowhere\nd: {e: 1, e: 2}\n~: 4\nf: !!int x\ng: @\nh: !y z\n"
    assert reported(text) == [
        ("2:1", "duplicate-key"), ("3:4", "unknown-tag"), ("4:4", "undefined-alias"), ("5:11", "duplicate-key"),
        ("6:1", "null-key"), ("7:4", "tag-mismatch"), ("8:4", "syntax"),
    ]  # fmt: skip


def test_reading_stops_at_a_hundred_findings() -> None:
    assert len(findings("a: 1\n" * 10_000)) == 100


def test_the_garbage_collector_is_not_changed() -> None:
    assert gc.isenabled()
    load("a: 1")
    findings("a: [")
    assert gc.isenabled()
    gc.disable()
    try:
        load("a: 1")
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_long_text_counts_as_several_nodes() -> None:
    text = f"a: &a {'x' * 256_000}\nb: [{'*a, ' * 1_500}]\n"  # recorded as JSON, these are 384 MB
    assert [code for _, code in reported(text)] == ["too-many-nodes"]
    assert Source.inline(f"a: &a {'x' * 255}\nb: [*a]\n", limits=Limits(extra_nodes=1)).load()
