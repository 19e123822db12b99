"""Redirections and the bodies of heredocs."""

from __future__ import annotations

import pytest

from tests.unit.language.scripts.helpers import not_followed, refused, substituted


@pytest.mark.parametrize(
    ("script", "becomes"),
    [
        ("cat <<E\n'X'\nE", "cat <<E\n'${X}'\nE"),
        ("cat <<-E\n\tX\n\tE\necho X", 'cat <<-E\n\t${X}\n\tE\necho "${X}"'),
        ("cat <<A <<B\nX\nA\nX\nB", "cat <<A <<B\n${X}\nA\n${X}\nB"),
        ("echo >X 2>>X", 'echo >"${X}" 2>>"${X}"'),
    ],
)
def test_a_reference_is_quoted_for_its_context(script: str, becomes: str) -> None:
    assert substituted(script) == becomes


@pytest.mark.parametrize("sign", [">&", "<&"])
def test_a_value_cannot_be_a_file_descriptor(sign: str) -> None:
    assert refused(f"f {sign}X") == f"after '{sign}' it could be read as the number of a file descriptor"


@pytest.mark.parametrize("script", ["cat <<'E'\nX\nE", "cat <<\\E\nX\nE"])
def test_a_quoted_heredoc_is_refused(script: str) -> None:
    assert refused(script) == "the shell expands nothing in a quoted heredoc"


@pytest.mark.parametrize(
    ("script", "where"),
    [
        ("cat << X", "the end of the heredoc on line 1 is not certain"),
        ("cat <<$a\nX\n$a", "the end of the heredoc on line 1 is not certain"),
        ("cat <<E\nX", "the heredoc 'E' has no end"),
        ("cat <<E\nX\\\nE", "a backslash continues the line above the end of the heredoc on line 3"),
    ],
)
def test_the_scanner_gives_up_at_a_heredoc_without_a_clear_end(script: str, where: str) -> None:
    assert not_followed(script) == where
