"""The forms in which a secret gives itself away: as it is, and as programs write it down."""

from __future__ import annotations

import json
import re
from binascii import b2a_base64
from collections.abc import Iterable, Iterator

SHORTEST = 4  # characters; masking less would mask half of every log

_PLAIN = re.compile(r"[A-Za-z0-9_]+\Z")  # what nothing but base64 writes in another way
#: The characters besides letters and digits that are kept in a URL: by Python and curl (with and without `/`), by
#: encodeURIComponent and encodeURI of JavaScript, and by HTML forms.
_URL_SAFE = ("-._~", "-._~/", "-._~!'()*", "-._~!'()*;,/?:@&=+$#", "-._*")
#: What is written with a backslash before it: by `printf %q` of bash (which differs about `~`) and of zsh, and by
#: quotemeta of Perl.
_BACKSLASHED = (
    re.compile(r"""[ !"$&'()*,;<>?\[\\\]^`{|}]"""),
    re.compile(r"""[ !"$&'()*,;<>?\[\\\]^`{|}]|(?<=[:=])~"""),
    re.compile(r"""[ "#$&'()*;<>?\[\\\]^`{|}]"""),
    re.compile(r"[^\w\x00-\x1f\x7f]", re.ASCII),
)
_CONTROL = re.compile(
    r"[\x00-\x1f\x7f\x85\u2028\u2029]+"
)  # what ends a line, and what everybody writes in another way
_WRAPS = (76, 64)  # characters of a line of base64: of MIME and the command `base64`, and of PEM


def forms(secrets: Iterable[str]) -> frozenset[str]:
    """Every text that gives one of the secrets away. So does each line of a secret, and each part between control characters."""
    return frozenset(form for secret in secrets for form in _forms(secret) if len(form) >= SHORTEST)


def _forms(secret: str) -> Iterator[str]:
    whole = secret.strip()
    if len(whole) < SHORTEST:
        whole = secret
    for text in dict.fromkeys((whole, *(piece.strip() for piece in _CONTROL.split(secret)))):
        if len(text) < SHORTEST:
            continue
        yield text
        yield from _base64(text)
        if not _PLAIN.match(text):
            yield from _json(text)
            yield from _url(text)
            yield from _shell(text)
            yield repr(text)[1:-1]
            yield repr(_bytes(text))[2:-1]


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _json(text: str) -> Iterator[str]:
    """What JSON writers make of it: some escape what is not ASCII, some `/`, some what means something in HTML."""
    narrow = json.dumps(text)[1:-1]
    upper = re.sub(r"\\u[0-9a-f]{4}", lambda match: "\\u" + match[0][2:].upper(), narrow)
    for form in (narrow, upper, json.dumps(text, ensure_ascii=False)[1:-1]):
        yield form
        yield form.replace("/", "\\/")
        yield re.sub("[&<>]", lambda match: f"\\u{ord(match[0]):04x}", form)


def _url(text: str) -> Iterator[str]:
    data = _bytes(text)
    for safe in _URL_SAFE:
        for code in ("%{:02X}", "%{:02x}"):
            form = "".join(
                char if char.isascii() and (char.isalnum() or char in safe) else code.format(byte)
                for byte in data
                for char in (chr(byte),)
            )
            yield form
            yield form.replace("%20", "+")


def _base64(text: str) -> Iterator[str]:
    """The characters that stand for it alone, wherever it begins within the three bytes of a group."""
    data = _bytes(text)
    for before in range(3):
        encoded = b2a_base64(bytes(before) + data, newline=False).decode()
        shared = (0, 2, 3)[before]  # characters at the beginning that also depend on what stands before it
        whole = encoded.rstrip("=")[shared:]  # where nothing follows
        alone = encoded[: (before + len(data)) * 8 // 6][shared:]
        wrapped = [
            whole[i : i + width] for width in _WRAPS if not before for i in range(0, len(whole), width)
        ]
        for form in (whole, alone, *wrapped):
            yield form
            yield form.replace("+", "-").replace("/", "_")


def _shell(text: str) -> Iterator[str]:
    """What `set -x`, `printf %q`, `export -p` and the like of sh, bash, ksh and zsh make of it."""
    yield text.replace("'", "'\\''")
    yield text.replace("'", "'\"'\"'")
    yield re.sub(r'[$`"\\]', r"\\\g<0>", text)
    for special in _BACKSLASHED:
        yield special.sub(r"\\\g<0>", text)
    for wide in (True, False):
        yield "".join(_dollar_quoted(char, wide=wide) for char in text)


def _dollar_quoted(char: str, *, wide: bool) -> str:
    """As `$'..'` has it. Without `wide` what is not ASCII is written as its bytes, as bash does where the locale has no such character."""
    if char in "\\'":
        return "\\" + char
    if char == "\n":
        return "\\n"
    return char if char.isascii() or wide else "".join(map("\\{:03o}".format, _bytes(char)))
