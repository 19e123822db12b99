"""A secret as other programs write it down."""

from __future__ import annotations

import base64
import json
import re
import shlex
import shutil
import subprocess
import urllib.parse

import pytest

from dagrun.masking import Masker
from dagrun.masking.forms import forms

NASTY = [
    "Alpha'Beta\"Gamma$Delta`Epsi\\Zeta Eta!Theta",
    "~Home#Frag=Valu:~Colo,Comm;Semi",
    "-Dash&Ampe|Pipe<Less>More(Open)Clos{Brac}Curl[Squa]Brak*Star?Ques^Care%Perc@Atat+Plus",
    "Tabs\tHere\x1bEsca\x01Ctrl\x7fDele",
    "Line\nFeed'Quot\rCarr",
]


def assert_masked(secret: str, written: str) -> None:
    masked = Masker([secret]).text(written)
    assert "***" in masked
    assert not [word for word in re.findall(r"\w{4,}", secret) if word in masked], masked


def test_every_line_of_a_secret_is_a_secret() -> None:
    assert Masker(["first line\n  second line\nend"]).text("> second line < end") == "> *** < end"


def test_the_white_space_around_a_secret_is_none() -> None:
    assert Masker(["\nhidden\n"]).text("a\nhidden\nb") == "a\n***\nb"


def test_what_has_fewer_than_four_characters_is_no_form() -> None:
    assert min(map(len, forms(["abcd", "a\nb\nc\nd", "a b c d"]))) >= 4
    assert not forms(["abc", ""])


@pytest.mark.parametrize("secret", [*NASTY, "Ümlaut/Schräg&<Euro€>"])
def test_what_programs_make_of_a_secret_is_masked(secret: str) -> None:
    quote = urllib.parse.quote
    for written in (
        json.dumps({"k": secret}), json.dumps({"k": secret}, ensure_ascii=False), json.dumps(secret).replace("/", "\\/"),
        quote(secret), quote(secret, safe=""), urllib.parse.quote_plus(secret), quote(secret, safe="!'()*"),
        quote(secret, safe=";,/?:@&=+$#!'()*"), re.sub("%..", lambda code: code[0].lower(), quote(secret)), shlex.quote(secret),
        repr(secret), repr([secret.encode()]), base64.b64encode(b"user:" + secret.encode()).decode(),
    ):  # fmt: skip
        assert "***" in Masker([secret]).text(written), written
    assert_masked(secret, shlex.quote(secret))
    assert_masked(secret, json.dumps(secret))
    assert_masked(secret, quote(secret))


def test_base64_that_is_wrapped_is_masked_line_by_line() -> None:
    secret = "".join(f"{n:x}." for n in range(200))
    encoded = base64.encodebytes(secret.encode()).decode()
    assert re.fullmatch(r"(\*\*\*=*\n)+", Masker([secret]).text(encoded))


COMMANDS = {
    "printf %q": 'printf "%q\\n" "$S"',
    "set -x": 'set -x; : "$S" "a$S" x="$S"; [ "$S" = x ]; V="b$S"; for i in "$S"; do :; done; case "$S" in x) ;; esac',
    "export -p": "export -p",
    "declare -p": "declare -p S",
    "set": "set",
    "@Q": 'echo "${S@Q}"',
    "alias": 'alias x="$S"; alias',
}


@pytest.mark.parametrize("shell", ["sh", "dash", "bash", "ksh", "zsh"])
def test_what_shells_make_of_a_secret_is_masked(shell: str) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"there is no {shell}")
    script = "\n".join(f"({command})" for command in COMMANDS.values())
    for secret in NASTY:
        done = subprocess.run(
            [program, "-c", script], env={"S": secret, "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}, capture_output=True,
            check=False,
        )  # fmt: skip
        assert_masked(secret, (done.stdout + done.stderr).decode())
