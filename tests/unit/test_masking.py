"""Secrets in whole texts, in data, and in streams that arrive in pieces."""

from __future__ import annotations

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from dagrun.masking import Masker, StreamMasker, forms

SECRET = "s3cr3t-value"


def test_a_secret_is_masked_wherever_it_stands() -> None:
    assert Masker([SECRET]).text(f"a {SECRET}b{SECRET}") == "a ***b***"


def test_without_secrets_nothing_is_touched() -> None:
    data = {"a": [1, "b"]}
    assert Masker([]).value(data) is data


def test_data_is_masked_in_keys_and_values_at_any_depth() -> None:
    masked = Masker([SECRET]).value({SECRET: [{"deep": f"x{SECRET}"}, 1, None]})
    assert masked == {"***": [{"deep": "x***"}, 1, None]}


def test_the_longer_of_two_secrets_is_masked_whole() -> None:
    assert Masker(["abcd", "abcdef"]).text("abcdef abcd") == "*** ***"


def test_every_line_of_a_secret_is_a_secret() -> None:
    assert Masker(["first line\nsecond line"]).text("> second line <") == "> *** <"


def test_what_json_makes_of_a_secret_is_one_too() -> None:
    secret = 'quo"te\\back'
    assert json.dumps(secret)[1:-1] in forms([secret])
    assert Masker([secret]).text(json.dumps({"k": secret})) == '{"k": "***"}'


def in_pieces(masker: StreamMasker, data: bytes, cuts: list[int]) -> bytes:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    pieces = [data[a:b] for a, b in pairwise(edges)]
    return b"".join(masker.feed(piece) for piece in pieces) + masker.finish()


@given(
    st.lists(st.sampled_from([SECRET, "s3cr", "abc", "abcabcd", " ", "s", "value", "x\n"]), max_size=12),
    st.lists(st.integers(0, 200), max_size=6),
)
def test_a_stream_cut_anywhere_is_masked_like_the_whole(words: list[str], cuts: list[int]) -> None:
    text = "".join(words)
    secrets = [SECRET, "abcabcd"]
    masked = in_pieces(StreamMasker(secrets), text.encode(), cuts).decode()
    assert masked == Masker(secrets).text(text)
    assert not any(secret in masked for secret in secrets)


def test_a_stream_is_not_held_back_longer_than_needed() -> None:
    masker = StreamMasker([SECRET])
    assert masker.feed(b"hello\n") == b"hello\n"
    assert masker.feed(b"s3cr") == b""
    assert masker.feed(b"eam\n") == b"s3cream\n"
