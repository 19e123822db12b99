"""Reading YAML with positions: what a document means, where it stands, and how mistakes are shown."""

from __future__ import annotations

import contextlib
import gc
import math
import re
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from dagrun.source import Finding, Limits, Place, Source, SourceError, render


def load(text: str) -> Any:
    return Source.inline(text).load()


def findings(text: str, limits: Limits | None = None) -> tuple[Finding, ...]:
    source = Source.inline(text, limits=limits or Limits())
    with pytest.raises(SourceError) as caught:
        source.load()
    return caught.value.findings


def told(text: str, limits: Limits | None = None) -> list[tuple[str, str]]:
    """Each finding's "line:column" and code."""
    return [(f"{f.place.line}:{f.place.column}", f.code) for f in findings(text, limits)]


def refused_file(path: Path, **options: Any) -> Finding:
    with pytest.raises(SourceError) as caught:
        Source.read(path, **options)
    (finding,) = caught.value.findings
    return finding


@pytest.fixture
def without_libyaml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml, "__with_libyaml__", False)


# --- what scalars mean ---


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True), ("False", False), ("TRUE", True), ("null", None), ("~", None), ("", None),
        ("0", 0), ("-12", -12), ("+7", 7), ("0755", 755), ("0o17", 15), ("0x1F", 31),
        ("3.10", 3.1), ("1.", 1.0), (".5", 0.5), ("1e3", 1000.0), ("-1.5E-2", -0.015),
        (".inf", math.inf), ("-.INF", -math.inf), ("1e999", math.inf),
    ],
)  # fmt: skip
def test_plain_words_and_numbers_mean_what_yaml_1_2_says(written: str, value: Any) -> None:
    result = load(f"a: {written}")["a"]
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    "written",
    [
        "on", "off", "yes", "No", "y", "tRUE", "nil", "2024-01-31", "1:30", "12:30:45", "1_000", "0b11", "0X1F",
        "-0x1F", "1e", "e5", ".", "-", "+", "+.nan", "=", "10m", "1.2.3", "٣", "=<<", "-1-",
    ],
)  # fmt: skip
def test_all_other_plain_scalars_are_text(written: str) -> None:
    assert load(f"[{written}, x]" if written != "-" else "[-1-, x]")[0] == (
        written if written != "-" else "-1-"
    )


def test_nan_is_a_float() -> None:
    assert math.isnan(load(".nan"))


@pytest.mark.parametrize("written", ["'true'", '"12"', "|-\n  null", ">-\n  1.5", "''"])
def test_quoted_and_block_scalars_are_text(written: str) -> None:
    assert isinstance(load(f"a: {written}")["a"], str)


def test_a_number_too_long_for_python_stays_text() -> None:
    for number in ("9" * 5000, "0x" + "f" * 5000, "-" + "1" * 100_000):
        assert load(f"a: {number}") == {"a": number}


def test_an_int_that_was_read_can_be_printed() -> None:
    assert str(load("0x" + "f" * 3498))


def test_explicit_tags_decide() -> None:
    text = "[!!str 5, !!int '5', !!float 5, !!bool 'true', !!null '', !!seq [], !!map {}, ! 5, !!str ~]"
    assert load(text) == ["5", 5, 5.0, True, None, [], {}, "5", "~"]


def test_a_huge_float_from_an_int_is_infinite() -> None:
    assert load("!!float " + "9" * 1000) == math.inf


@pytest.mark.parametrize(
    "text",
    [
        "!!int x",
        "!!int 1.5",
        "!!bool 'on'",
        "!!null 0",
        "!!float x",
        "!!seq {}",
        "!!map []",
        "!!map x",
        "!!str []",
    ],
)
def test_a_value_that_does_not_fit_its_tag_is_a_finding(text: str) -> None:
    assert told(f"a: {text}") == [("1:4", "tag-mismatch")]


@pytest.mark.parametrize(
    "text", ["!secret x", "!!python/object:os.system x", "!!set {}", "!!timestamp 2024-01-31"]
)
def test_other_tags_are_findings(text: str) -> None:
    assert told(f"a: {text}") == [("1:4", "unknown-tag")]


# --- keys ---


def test_keys_are_the_text_that_was_written() -> None:
    assert load("{on: 1, 1: 2, 1.10: 3, true: 4, '': 5, 'null': 6, '<<': 7, 2024-01-31: 8}") == {
        "on": 1, "1": 2, "1.10": 3, "true": 4, "": 5, "null": 6, "<<": 7, "2024-01-31": 8
    }  # fmt: skip


def test_a_duplicate_key_names_the_first_line() -> None:
    (finding,) = findings("a: 1\nb:\n  x: 1\n  y: 2\n  'x': 3\n")
    assert finding.message == "key 'x' is written twice, first in line 3"
    assert (finding.place, finding.code) == (Place("<inline>", 5, 3), "duplicate-key")


def test_keys_that_are_not_text_are_findings() -> None:
    assert told("? [a]\n: b\n? {c: d}\n: e\nf: g\nf: h") == [
        ("1:3", "complex-key"), ("3:3", "complex-key"), ("6:1", "duplicate-key")
    ]  # fmt: skip
    assert told("~: 1\nb:\n  null: 2\n  ~: 3\n!!null '': 4") == [
        ("1:1", "null-key"), ("3:3", "null-key"), ("4:3", "null-key"), ("5:1", "null-key")
    ]  # fmt: skip


def test_a_key_can_be_an_alias() -> None:
    assert load("a: &x text\n*x : 1\n&y 2: *y") == {"a": "text", "text": 1, "2": 2}
    assert told("a: &x [b]\n*x : 1") == [("2:1", "complex-key")]


# --- merges ---


def test_merged_keys_give_way_to_own_ones() -> None:
    assert load("base: &b {x: 1, y: 2}\nown:\n  y: 3\n  <<: *b\n")["own"] == {"x": 1, "y": 3}


def test_the_first_of_several_merged_mappings_wins() -> None:
    text = "a: &a {x: 1}\nb: &b {<<: *a, x: 2, y: 2}\nc: {<<: [*a, *b, {z: 3}]}"
    assert load(text)["c"] == {"x": 1, "y": 2, "z": 3}


@pytest.mark.parametrize("value", ["5", "[a]", "[{}, 1]", "~"])
def test_only_mappings_can_be_merged(value: str) -> None:
    assert [code for _, code in told(f"a: {{<<: {value}}}")] == ["merge"]


def test_two_merges_in_one_mapping_are_a_duplicate_key() -> None:
    assert told("<<: {a: 1}\n<<: {b: 1}") == [("2:1", "duplicate-key")]


# --- aliases ---


def test_aliases_share_their_value() -> None:
    data = load("a: &x [1, {b: 2}]\nc: *x\nd: &x 3\ne: *x")
    assert data == {"a": [1, {"b": 2}], "c": [1, {"b": 2}], "d": 3, "e": 3}
    assert data["a"] is data["c"]


def test_an_undefined_alias_is_named() -> None:
    (finding,) = findings("defaults: &default 1\nb: *defaults")
    assert finding.message == "alias '*defaults' has no anchor '&defaults' before it"
    assert finding.suggestion == "did you mean '*default'?"


@pytest.mark.parametrize("text", ["&a [*a]", "a: &a {b: [*a]}", "a: &a {<<: *a}"])
def test_an_alias_to_what_surrounds_it_is_a_finding(text: str) -> None:
    assert [code for _, code in told(text)] == ["recursive-alias"]


def bomb(levels: int, width: int) -> str:
    lines = ["l0: &l0 [x]"]
    lines += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * width)}]" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(("levels", "width"), [(9, 9), (4, 1000), (10, 8)])
def test_an_alias_bomb_is_refused_at_once(levels: int, width: int) -> None:
    start = time.perf_counter()
    assert [code for _, code in told(bomb(levels, width))] == ["too-many-nodes"]
    assert time.perf_counter() - start < 1


def test_merging_counts_as_much_as_repeating() -> None:
    keys = ", ".join(f"k{n}: 1" for n in range(1000))
    text = f"base: &b {{{keys}}}\n" + "".join(f"m{n}: {{<<: *b}}\n" for n in range(1000))
    assert [code for _, code in told(text)] == ["too-many-nodes"]


def test_nodes_are_counted_exactly() -> None:
    text = "a: &a [1, 2]\nb: [*a, *a]\n"  # each use adds a list and two items
    assert Source.inline(text, limits=Limits(extra_nodes=6)).load()
    assert told(text, Limits(extra_nodes=5)) == [("2:9", "too-many-nodes")]


# --- depth ---


def test_depth_is_counted_to_the_level() -> None:
    assert Source.inline("[" * 64 + "]" * 64).load()
    assert told("[" * 65 + "]" * 65) == [("1:65", "too-deep")]
    assert told("a:\n  b:\n    - c: 1", Limits(depth=3)) == [("3:7", "too-deep")]


@pytest.mark.parametrize("bracket", ["[", "{", "- ", "? ", "[a, ", "{a: "])
def test_thirty_thousand_brackets_give_one_clean_finding(bracket: str) -> None:
    assert [code for _, code in told(bracket * 30_000)][-1] == "too-deep"


def test_depth_is_counted_through_aliases() -> None:
    chain = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 64))
    assert told(chain) == [("64:12", "too-deep")]
    assert Source.inline(chain, limits=Limits(depth=65)).load()


# --- documents ---


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
    assert told("a: 1\n---\nb: 2\n---\nc: 3") == [("2:1", "many-documents")]


def test_all_findings_come_at_once_and_a_syntax_error_last() -> None:
    text = "a: 1\na: 2\nb: !x 3\nc: *nowhere\nd: {e: 1, e: 2}\n~: 4\nf: !!int x\ng: @\nh: !y z\n"
    assert told(text) == [
        ("2:1", "duplicate-key"), ("3:4", "unknown-tag"), ("4:4", "undefined-alias"), ("5:11", "duplicate-key"),
        ("6:1", "null-key"), ("7:4", "tag-mismatch"), ("8:4", "syntax"),
    ]  # fmt: skip


def test_findings_end_at_a_hundred() -> None:
    assert len(findings("a: 1\n" * 10_000)) == 100


def test_the_collector_is_left_as_it_was() -> None:
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


# --- mistakes, in words ---


@pytest.mark.parametrize(
    ("text", "at", "message"),
    [
        ("a:\n\tb: 1", "2:1", "a tab is used for indentation"),
        ("a:\n  b: 1\n\tc: 2", "3:1", "a tab is used for indentation"),
        ("a: |\n\tx", "2:1", "a tab is used for indentation"),
        ("run: echo: hi", "1:10", "a value holds ': ', which starts another mapping"),
        ("a: 1\nb\nc: 2", "2:1", "a ':' is missing after 'b'"),
        ("a:\n  b:1\n  c: 2", "3:4", "a ':' is missing in line 2, or this line is indented too far"),
        ("a: 1\n  b: 2", "2:4", "this line is indented deeper than line 1, which has its value already"),
        ("a:\n  b: 1\n c: 2", "3:2", "this line's indentation fits none of the lines above"),
        ("  a: 1\nb: 2", "2:1", "this line's indentation fits none of the lines above"),
        ("t:\n  - id: a\n  run: b", "3:3", "a key stands among the items of a list"),
        ("a: 1\n- b", "2:1", "a list item stands among the keys of a mapping"),
        ("a: [1, 2", "1:4", "'[' is never closed"),
        ("a: {", "1:4", "'{' is never closed"),
        ("a: [1, 2\nb: 3\n", "1:4", "'[' is not closed before line 2"),
        ("a: {b:, c: 1}", "1:6", "a ':' inside brackets needs a space after it"),
        ("a: [1, 2}", "1:9", "expected ',' or ']' here"),
        ("a: [1]]", "1:7", "']' closes nothing"),
        ("a: ]", "1:4", "a value cannot start with ']'"),
        ("a: [1,", "1:7", "the text ends where a value is expected"),
        ("a: 'b\nc: d", "1:4", "the quote ' is never closed"),
        ("a: 'it's'", "1:8", "unexpected text after the value"),
        ("[a] b", "1:5", "unexpected text after the end of the document"),
        ("a: @b", "1:4", "a value cannot start with '@' unless it is quoted"),
        ("a: *.txt", "1:4", "'*' starts an alias in YAML, and this is none"),
        ("a: - b", "1:4", "a list item cannot start in the middle of a line"),
        (r'a: "\d"', "1:5", r"'\d' is not an escape that YAML knows"),
        ("a: !x!y z", "1:4", "found undefined tag handle while parsing a node"),
        ("a: \x07", "1:4", "character U+0007 is not allowed in YAML"),
        ("é: 1\na\0", "2:2", "character U+0000 is not allowed in YAML"),
        ("a: \ud800", "1:4", "character U+D800 is not allowed in YAML"),
        ("é: 😀 x: y", "1:7", "a value holds ': ', which starts another mapping"),
        ("\ufeffé: b: y", "1:5", "a value holds ': ', which starts another mapping"),
    ],
)
def test_a_syntax_error_is_told_in_words(text: str, at: str, message: str) -> None:
    finding = findings(text)[-1]
    assert (f"{finding.place.line}:{finding.place.column}", finding.message) == (at, message)


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("a:\n\tb: 1", "YAML does not allow tabs for indentation; use spaces"),
        ("- a\n-b\n", "put a space after '-'"),
        ("a:\n  b:1\n  c: 2", "put a space after ':'"),
        ("a\nb: 1", "write 'key: value'"),
        ("a: {{ x }}", "put text that starts with '{' or '[' in quotes"),
        ("a: [1", "add ']'"),
        ("a: \x1b", r'write "\x1b" inside double quotes'),
    ],
)
def test_a_finding_says_what_to_do(text: str, suggestion: str) -> None:
    assert findings(text)[0].suggestion == suggestion


# --- files ---


def test_a_file_is_read_with_or_without_a_bom(tmp_path: Path) -> None:
    file = tmp_path / "flow.yaml"
    file.write_bytes(b"\xef\xbb\xbfgr\xc3\xbc\xc3\x9fe: [a,\r\n  b]\r\n")
    source = Source.read(file, "flow.yaml")
    assert source.load() == {"grüße": ["a", "b"]}
    assert str(source.place(("grüße",), key=True)) == "flow.yaml:1:1"
    assert str(source.place(("grüße", 1))) == "flow.yaml:2:3"
    assert source.line(1) == "grüße: [a,"


def test_the_path_is_shown_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a")
    assert Source.read(tmp_path / "a.yaml").path == str(tmp_path / "a.yaml")
    assert Source.read(tmp_path / "a.yaml", "./a.yaml").path == "./a.yaml"


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    assert refused_file(tmp_path / "none.yaml", shown="none.yaml") == Finding(
        Place("none.yaml", 1, 1), "there is no such file", "missing-file"
    )
    assert refused_file(tmp_path).code == "is-directory"
    assert refused_file(tmp_path / "a\0b").code == "unreadable"
    (tmp_path / "file").touch()
    assert refused_file(tmp_path / "file" / "x").message == "the file cannot be read: Not a directory"


def test_a_file_over_the_limit_is_refused_without_being_read(tmp_path: Path) -> None:
    file = tmp_path / "big.yaml"
    with file.open("wb") as stream:
        stream.truncate(50 * 1024 * 1024)
    tracemalloc.start()
    finding = refused_file(file)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert finding.message == "the text has 50 MiB, more than the 32 MiB allowed"
    assert peak < 1024 * 1024


def test_a_file_without_an_end_is_refused() -> None:
    finding = refused_file(Path("/dev/zero"), limits=Limits(text_bytes=1000))
    assert (finding.message, finding.code) == ("the text has more than the 1000 bytes allowed", "too-large")


def test_inline_text_is_measured_in_bytes() -> None:
    assert Source.inline("é" * 5, limits=Limits(text_bytes=10)).load() == "é" * 5
    with pytest.raises(SourceError, match="the text has 12 bytes, more than the 10 bytes allowed"):
        Source.inline("é" * 6, limits=Limits(text_bytes=10))


def test_invalid_utf8_is_told_with_its_byte(tmp_path: Path) -> None:
    file = tmp_path / "latin.yaml"
    file.write_bytes("a: é\nb: gr".encode() + b"\xfc\xdfe")
    finding = refused_file(file, shown="latin.yaml")
    assert (str(finding.place), finding.message) == ("latin.yaml:2:6", "byte 0xfc is not valid UTF-8")
    file.write_text("a: 1", encoding="utf-16")
    assert refused_file(file).suggestion == "the file looks like UTF-16; save it as UTF-8"


def test_control_characters_are_refused_while_reading(tmp_path: Path) -> None:
    file = tmp_path / "bell.yaml"
    file.write_bytes("é: 1\nb: é\a".encode())
    assert str(refused_file(file, shown="b").place) == "b:2:5"


# --- positions ---

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


def test_positions_cost_nothing_until_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source.inline("a: {b: 1}")
    source.load()
    assert "_survey" not in vars(source)
    source.place(("a",))
    monkeypatch.setattr(yaml, "CSafeLoader", None)
    assert source.written(("a", "b")) == "1"  # the second question reads nothing


def test_places_can_be_asked_of_broken_text() -> None:
    source = Source.inline("a: 1\nb: [x\n")
    assert str(source.place(("a",))) == "<inline>:1:4"
    assert str(source.place(("b", 0))) == "<inline>:2:5"
    assert str(Source.inline("").place(("a",))) == "<inline>:1:1"


def test_lines() -> None:
    source = Source.inline("one\r\ntwo\rthree\nfour\u2028five\n")
    assert [source.line(n) for n in range(8)] == ["", "one", "two", "three", "four", "five", "", ""]


# --- the caret ---


def test_a_finding_is_shown_whole() -> None:
    source = Source.inline("name: x\ntasks:\n  - id: b\n    depends_on: [x]\n", "flow.yaml")
    place = source.place(("tasks", 0, "depends_on"), key=True)
    finding = Finding(place, "Task 'b' depends on non-existent task 'x'", "unknown-task", "did you mean 'a'?")
    assert render(finding, source) == (
        "flow.yaml:4:5: error: Task 'b' depends on non-existent task 'x' [unknown-task]\n"
        "    4 |     depends_on: [x]\n"
        "      |     ^\n"
        "  help: did you mean 'a'?"
    )


def test_a_warning_of_another_file_is_shown_without_a_line() -> None:
    finding = Finding(Place("other.yaml", 3, 1), "odd", "odd", level="warning")
    assert render(finding, Source.inline("a: 1")) == "other.yaml:3:1: warning: odd [odd]"
    assert render(finding, None) == "other.yaml:3:1: warning: odd [odd]"


def excerpt(text: str, column: int, width: int = 1) -> str:
    return Source.inline(text).excerpt(Place("<inline>", 1, column), width)


@pytest.mark.parametrize(
    ("text", "column", "shown", "carets"),
    [
        ("a: bad", 4, "a: bad", "   ^"),
        ("a:\tbad", 4, "a:    bad", "      ^"),
        ("日本: bad", 5, "日本: bad", "      ^"),
        ("e\u0301: bad", 5, "e\u0301: bad", "   ^"),
        ("a\x1b[0m: bad", 8, r"a\x1b[0m: bad", "          ^"),
        ("a\u202eb: bad", 6, r"a\u202eb: bad", "          ^"),
        ("a:", 9, "a:", "  ^"),
    ],
)
def test_the_caret_stands_under_its_character(text: str, column: int, shown: str, carets: str) -> None:
    assert excerpt(text, column) == f"    1 | {shown}\n      | {carets}"


def test_carets_can_underline_a_word() -> None:
    assert excerpt("a: 日本 x", 4, 2) == "    1 | a: 日本 x\n      |    ^^^^"
    assert excerpt("a: bc", 4, 99) == "    1 | a: bc\n      |    ^^"


@pytest.mark.parametrize("column", [1, 30, 70, 500, 960, 1000, 1001])
def test_a_long_line_is_cut_around_the_caret(column: int) -> None:
    line = "".join(chr(0x41 + n % 26) for n in range(1000))
    shown, carets = (row[8:] for row in excerpt(line, column).split("\n"))
    assert 100 <= len(shown) <= 102
    assert shown.startswith("…") == (column > 60)
    assert shown.endswith("…") == (column <= 960)
    assert shown[len(carets) - 1 : len(carets)] == line[column - 1 : column]


def test_messages_cannot_move_the_cursor() -> None:
    finding = Finding(Place("a\n.yaml", 1, 1), "key '\x1b[2J'", "x", "say\a")
    assert render(finding, None) == "a\\n.yaml:1:1: error: key '\\x1b[2J' [x]\n  help: say\\x07"


# --- for all documents ---

#: Text that is no number in YAML 1.2 (PyYAML writes 1.1, where `0o17` and `1e3` need no quotes), and has none of the
#: line ends that PyYAML's own emitter gets wrong.
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x85\u2028\u2029")).filter(
    lambda text: not re.match(r"[-+.\d]", text)
)
numbers = st.integers() | st.floats(allow_nan=False)


def documents(text: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    leaves = st.none() | st.booleans() | numbers | text
    return st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=20)


def paths(data: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    yield path, data
    if isinstance(data, dict | list):
        for step, inner in data.items() if isinstance(data, dict) else enumerate(data):
            yield from paths(inner, (*path, step))


@given(documents(words), st.sampled_from([None, True, False]))
def test_what_was_dumped_is_loaded(data: Any, flow: bool | None) -> None:
    assert load(yaml.safe_dump(data, default_flow_style=flow, allow_unicode=True)) == data


@given(documents(st.text()), st.sampled_from(["'", '"', "|", ">"]))
def test_quoted_and_tagged_values_are_loaded(data: Any, style: str) -> None:
    assert load(yaml.safe_dump(data, default_style=style)) == data


@given(documents(words), st.sampled_from([None, True, False]))
def test_places_agree_with_the_data(data: Any, flow: bool | None) -> None:
    source = Source.inline(yaml.safe_dump(data, default_flow_style=flow, allow_unicode=True))
    for path, value in paths(data):
        written, place = source.written(path), source.place(path)
        there = source.line(place.line)[place.column - 1 :]
        if isinstance(value, dict | list):
            assert written is None
            continue
        assert written is not None
        assert (written if isinstance(value, str) else load(f"[{written}]")[0]) == value
        # A long plain text goes on in the next line; its first word is always here.
        assert there[:1] in ("'", '"', "|", ">") or there.startswith(written.split(" ")[0])


broken = st.text(
    st.sampled_from(list(" \t\n-:?,[]{}&*!|>'\"%@`#<~.0ab\\é😀\r\x85\u2028\ufeff")) | st.characters()
)


def outcome(source: Source) -> tuple[Any, tuple[Finding, ...]]:
    try:
        return source.load(), ()
    except SourceError as error:
        return None, error.findings


@given(broken)
@example("[*x]")
@example("*x")
@example('"\\ud800"')
def test_any_text_is_loaded_or_refused(text: str) -> None:
    source = Source.inline(text)
    data, refused = outcome(source)
    for finding in refused:
        assert render(finding, source)
    for path, value in paths(data) if not refused else ():
        assert source.place(path).line >= 1
        assert (source.written(path) is None) == isinstance(value, dict | list)


@given(broken)
@example('"\\UFFFFFFFF"')
def test_any_text_is_loaded_or_refused_without_libyaml(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml, "__with_libyaml__", False)
        source = Source.inline(text)
        for finding in outcome(source)[1]:
            assert render(finding, source)


@given(broken)
def test_places_are_those_of_libyaml(text: str) -> None:
    source = Source.inline(text)
    parser = yaml.CSafeLoader(source.text.encode("utf-8", "replace"))
    with contextlib.suppress(yaml.YAMLError):
        for event in iter(parser.get_event, None):
            mark = event.start_mark
            # At the text's end libyaml counts one line more than there is.
            if mark is not None and mark.index < len(source.text):
                assert source._at(mark.index) == Place("<inline>", mark.line + 1, mark.column + 1)


@pytest.mark.usefixtures("without_libyaml")
def test_all_works_without_libyaml() -> None:
    source = Source.inline(FLOW)
    with_libyaml = {"timeout": 16, "retry": {"max": 3}}
    assert source.load()["tasks"][1] == with_libyaml
    assert str(source.place(("tasks", 1, "retry", "max"))) == "<inline>:4:16"
    assert told("[" * 3000) == [("1:65", "too-deep")]
    assert findings("a:\n\tb")[0].message == "a tab is used for indentation"
    assert findings("a: [1")[0].message == "'[' is never closed"
    assert findings("a:\n  b: 1\n c: 2")[0].message == "this line's indentation fits none of the lines above"
    assert told("é: \x07") == [("1:4", "control-character")]
