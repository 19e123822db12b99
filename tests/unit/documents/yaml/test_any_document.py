"""Properties of every document, and of every text that is not one."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from dagrun.documents.yaml import DocumentError, Finding, Place, Source, render
from tests.unit.documents.yaml.helpers import load

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
def test_dumped_data_is_loaded_unchanged(data: Any, flow: bool | None) -> None:
    assert load(yaml.safe_dump(data, default_flow_style=flow, allow_unicode=True)) == data


@pytest.mark.slow
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
    except DocumentError as error:
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
                assert source.at(mark.index) == Place("<inline>", mark.line + 1, mark.column + 1)
