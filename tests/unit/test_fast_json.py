"""Fast JSON is the JSON of Python's own encoder and decoder."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagrun.core.work import Json
from dagrun.fast_json import decode, encode

ANY_TEXT = st.text(st.characters())  # with halves of surrogate pairs
DATA: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(DATA)
def test_what_is_written_is_read_by_both(data: Json) -> None:
    written = encode(data)
    assert decode(written) == data
    assert json.loads(written) == data


@given(DATA)
def test_what_python_writes_is_read(data: Json) -> None:
    assert decode(json.dumps(data).encode()) == data


@pytest.mark.parametrize("text", [b"", b"{", b"{]", b"\xff", b"nan", b"'a'", b"\0"])
def test_what_is_no_json_is_an_error(text: bytes) -> None:
    with pytest.raises(ValueError):
        decode(text)


def test_what_is_nested_too_deeply_is_an_error() -> None:
    with pytest.raises(RecursionError):
        decode(b"[" * 1_000_000 + b"]" * 1_000_000)
