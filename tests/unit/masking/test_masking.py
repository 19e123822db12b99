"""Secrets in whole texts, in data, and in streams that arrive in pieces."""

from __future__ import annotations

import base64
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagrun.masking import Masker, StreamMasker

SECRET = "s3cr3t-value"


def test_a_secret_is_masked_at_any_position() -> None:
    assert Masker([SECRET]).text(f"a {SECRET}b{SECRET}") == "a ***b***"


def test_without_secrets_nothing_is_touched() -> None:
    data = {"a": [1, "b"]}
    assert Masker([]).value(data) is data
    assert StreamMasker([]).feed(b"a") == b"a"


# --- data ----------------------------------------------------------------------------------------------------


def test_data_is_masked_in_keys_and_values_at_any_depth() -> None:
    masked = Masker([SECRET]).value({SECRET: [{"deep": f"x{SECRET}"}, 1, None]})
    assert masked == {"***": [{"deep": "x***"}, 1, None]}


def test_data_nested_deeper_than_functions_may_call_each_other_is_masked() -> None:
    data: object = SECRET
    for _ in range(5000):
        data = [data]
    masked = Masker([SECRET]).value(data)
    for _ in range(5000):
        (masked,) = masked
    assert masked == "***"


def test_keys_that_become_equal_stay_distinct() -> None:
    masked = Masker(["alpha", "omega"]).value({"alpha": 1, "***": 2, "omega": 3})
    assert masked == {"****": 1, "***": 2, "*****": 3}


@pytest.mark.parametrize("number", [2026, 120260, -2026, 2026.5, 0.2026])
def test_a_number_whose_text_holds_a_secret_is_masked_whole(number: float) -> None:
    assert Masker(["2026"]).value({"n": number}) == {"n": "***"}


def test_true_false_and_null_hold_no_secret() -> None:
    data = {"a": True, "b": False, "c": None, "d": "true"}
    masked = Masker(["true", "false", "null", "None", "True"]).value(data)
    assert masked == {"a": True, "b": False, "c": None, "d": "***"}


def test_a_number_that_cannot_be_written_is_no_obstacle() -> None:
    data = [float("inf"), float("nan"), 10**5000]
    for number, masked in zip(data, Masker([SECRET]).value(data), strict=True):
        assert masked is number


def test_declared_names_are_kept() -> None:
    assert Masker(["region"]).values({"region": "region"}) == {"region": "***"}


# --- secrets that touch each other -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("secrets", "text", "masked"),
    [
        (["abcd", "abcdef"], "abcdef abcd", "*** ***"),
        (["abcdef", "defghi"], "xabcdefghix", "x***x"),
        (["abcdefgh", "cdef"], "abcdefgh cdef", "*** ***"),
        (["aaaa"], "aaaaaaab", "***b"),
        (["abab"], "ababababx", "***x"),
        (["abcd", "efgh"], "abcdefgh", "******"),
    ],
)
def test_of_secrets_that_overlap_nothing_remains(secrets: list[str], text: str, masked: str) -> None:
    assert Masker(secrets).text(text) == masked
    for cut in range(len(text)):
        assert in_pieces(StreamMasker(secrets), text.encode(), [cut]) == masked.encode()


# --- streams ---------------------------------------------------------------------------------------------------


def in_pieces(masker: StreamMasker, data: bytes, cuts: list[int]) -> bytes:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    pieces = [data[a:b] for a, b in pairwise(edges)]
    return b"".join(masker.feed(piece) for piece in pieces) + masker.finish()


SECRETS = st.lists(st.text(alphabet="ab'\n\"ü ", min_size=4, max_size=12), min_size=1, max_size=3)


@given(SECRETS, st.lists(st.text(alphabet="ab'\n\"ü ", max_size=9), max_size=9), st.data())
def test_a_stream_cut_anywhere_is_masked_like_the_whole(
    secrets: list[str], words: list[str], data: st.DataObject
) -> None:
    parts = data.draw(st.permutations([*words, *secrets, *secrets]))
    text = "".join(parts)
    cuts = data.draw(st.lists(st.integers(0, 200), max_size=8))
    masked = in_pieces(StreamMasker(secrets), text.encode(), cuts).decode()
    assert masked == Masker(secrets).text(text)
    assert not any(secret in masked for secret in secrets if secret.strip())


@given(SECRETS, st.text(alphabet="xyz0123 \n'", max_size=60))
def test_text_without_secrets_is_untouched(secrets: list[str], text: str) -> None:
    shared = [secret for secret in secrets if set(secret) - set(" \n'")]
    assert Masker(shared).text(text) == text
    assert in_pieces(StreamMasker(shared), text.encode(), [7, 19]).decode() == text


@given(st.binary(min_size=4, max_size=12), st.binary(max_size=9), st.binary(max_size=9))
def test_base64_is_masked_at_any_position_of_the_encoded_text(
    key: bytes, before: bytes, after: bytes
) -> None:
    secret = base64.b16encode(key).decode()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        encoded = encode(before + secret.encode() + after).decode()
        masked = Masker([secret]).text(encoded)
        head, _, tail = masked.partition("***")
        # What remains encodes the neighbours, and only those bits of the secret that share a character with them.
        assert len(head) <= len(before) * 8 // 6 + 1
        assert len(tail) <= (len(after) + 2) * 8 // 6 + 2


def test_a_stream_is_not_held_back_longer_than_needed() -> None:
    masker = StreamMasker([SECRET])
    assert masker.feed(b"hello\n") == b"hello\n"
    assert masker.feed(b"s3cr") == b""
    assert masker.feed(b"eam\n") == b"s3cream\n"


def test_a_stream_may_be_one_secret_without_an_end() -> None:
    masker = StreamMasker(["aaaa"])
    assert b"".join(masker.feed(b"a" * 1000) for _ in range(100)) + masker.finish() == b"***"


def test_memory_is_linear_in_the_length_of_a_secret() -> None:
    secret = "".join(f"{n:05d}" for n in range(8000))  # 40 KB
    tracemalloc.start()
    masker = StreamMasker([secret])
    masked = (
        b"".join(masker.feed(secret[i : i + 9999].encode()) for i in range(0, len(secret), 9999))
        + masker.finish()
    )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert masked == b"***"
    assert peak < 100 * len(secret)
