"""Text for and from the system, in a UTF-8 locale and in older ones."""

from __future__ import annotations

import os
import sys

import pytest

from dagrun.process import encoding


@pytest.fixture
def latin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python decodes what comes from the system as ISO-8859-1."""
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "iso8859-1")
    monkeypatch.setattr(os, "fsencode", lambda text: text.encode("iso8859-1"))


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("ü€", "ü€".encode()),
        ("\udcfc", b"\xfc"),  # what came from the environment goes there as it was
        ("a\ud800b", b"a?b"),
        ("a\ud800\udcfc", b"a?\xfc"),
    ],
)
def test_text_is_utf_8_for_a_process(text: str, data: bytes) -> None:
    assert encoding.to_bytes(text) == data


def test_in_a_utf_8_locale_what_comes_from_the_system_is_text_already() -> None:
    assert encoding.from_system("ü\udcfc") == "ü\udcfc"
    assert encoding.from_command_line("ü") == "ü"


@pytest.mark.usefixtures("latin")
@pytest.mark.parametrize("data", ["ü€".encode(), b"\xfc", b"plain"])
def test_in_another_locale_its_bytes_stay_what_they_were(data: bytes) -> None:
    assert encoding.to_bytes(encoding.from_system(data.decode("iso8859-1"))) == data


@pytest.mark.usefixtures("latin")
@pytest.mark.parametrize("data", ["ü".encode(), b"\xfc"])
def test_an_argument_may_be_written_in_utf_8_or_as_the_locale_says(data: bytes) -> None:
    assert encoding.from_command_line(data.decode("iso8859-1")) == "ü"


def test_a_variable_is_put_into_the_environment_of_any_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGRUN_TEST_TEXT", "")

    def refuse(_: object) -> None:
        raise UnicodeEncodeError("iso8859-1", "€", 0, 1, "no such character")

    with monkeypatch.context() as patch:
        patch.setattr(os.environ, "update", refuse, raising=False)
        encoding.put({"DAGRUN_TEST_TEXT": "€"})
    assert os.environb[b"DAGRUN_TEST_TEXT"] == "€".encode()
