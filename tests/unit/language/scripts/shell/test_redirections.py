"""Redirections and the bodies of heredocs."""

from __future__ import annotations

import pytest

from tests.unit.language.scripts.helpers import fitted, not_followed, refused


@pytest.mark.parametrize(
    ("script", "becomes"),
    [
        ("cat <<E\n'X'\nE", "cat <<E\n'${X}'\nE"),
        ("cat <<-E\n\tX\n\tE\necho X", 'cat <<-E\n\t${X}\n\tE\necho "${X}"'),
        ("cat <<A <<B\nX\nA\nX\nB", "cat <<A <<B\n${X}\nA\n${X}\nB"),
        ("echo >X 2>>X", 'echo >"${X}" 2>>"${X}"'),
    ],
)
def test_a_reference_is_fitted_to_its_place(script: str, becomes: str) -> None:
    assert fitted(script) == becomes


@pytest.mark.parametrize("sign", [">&", "<&"])
def test_a_value_is_no_file_descriptor(sign: str) -> None:
    assert refused(f"f {sign}X") == f"after '{sign}' it may be taken for the number of a file descriptor"


@pytest.mark.parametrize("script", ["cat <<'E'\nX\nE", "cat <<\\E\nX\nE"])
def test_a_quoted_heredoc_is_refused(script: str) -> None:
    assert refused(script) == "a quoted heredoc is taken as it is written"


@pytest.mark.parametrize(
    ("script", "where"),
    [
        ("cat << X", "the end of the heredoc on line 1 cannot be told"),
        ("cat <<$a\nX\n$a", "the end of the heredoc on line 1 cannot be told"),
        ("cat <<E\nX", "the heredoc 'E' has no end"),
        ("cat <<E\nX\\\nE", "the line above the end of the heredoc on line 3 goes on"),
    ],
)
def test_a_heredoc_without_a_clear_end_is_not_followed(script: str, where: str) -> None:
    assert not_followed(script) == where
