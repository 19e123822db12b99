"""Files of variables: the value of each line, and the places of wrong lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagrun.documents.dotenv import read
from dagrun.documents.yaml import DocumentError


def written(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "x.env"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A=b", "b"), ("export A=b", "b"), ("A = b # c", "b"), ("A='b # $C'", "b # $C"), ('A="b\\nc"', "b\nc"), ("A=", ""),
        ("A=$HOME/x", "$HOME/x"), ("A=ü", "ü"), ("\ufeffA=b", "b"), ("A=b\r\n", "b"), ("A=1\nA=b", "b"), ("A='1\n2'", "1\n2"),
        ("# comment\n\nA=b", "b"),
    ],
)  # fmt: skip
def test_a_line_gives_a_variable_its_text(tmp_path: Path, text: str, value: str) -> None:
    found = read(written(tmp_path, text.encode()), "x.env")
    assert (found.values, list(found.findings)) == ({"A": value}, [])


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("A=1\nB", 2, "'B' has no value"),
        ("A=1\n\n\n=x\n", 4, "this line cannot be read"),
        ("A=1\nB='x\nC=2", 2, "this line cannot be read"),
        ("A=1\nB-C=1", 2, "'B-C' is not a valid name of an environment variable"),
        ("A=1\nB=x\0y", 2, "the value of 'B' contains a NUL character"),
    ],
)
def test_a_line_without_a_variable_is_reported(tmp_path: Path, text: str, line: int, message: str) -> None:
    found = read(written(tmp_path, text.encode()), "x.env")
    (finding,) = found.findings
    assert (finding.place.path, finding.place.line, finding.message) == ("x.env", line, message)
    assert found.values["A"] == "1"


def test_a_file_that_is_not_text_is_refused_at_the_byte(tmp_path: Path) -> None:
    with pytest.raises(DocumentError) as caught:
        read(written(tmp_path, b"A=1\nB=\xfc"), "x.env")
    (finding,) = caught.value.findings
    assert (str(finding.place), finding.message) == ("x.env:2:3", "byte 0xfc is not valid UTF-8")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="there is no such file"):
        read(tmp_path / "x.env", "x.env")
