"""The forms in which a secret can be recognised: as it is, and as programs encode it."""

from __future__ import annotations

import json
import re
from binascii import b2a_base64
from collections.abc import Iterable, Iterator

SHORTEST = 4  # characters; masking shorter texts would mask half of every log

_PLAIN = re.compile(r"[A-Za-z0-9_]+\Z")  # only base64 changes such a text
#: Characters besides letters and digits that are not encoded in a URL: by Python and curl (with and without `/`), by
#: encodeURIComponent and encodeURI of JavaScript, and by HTML forms.
_URL_SAFE = ("-._~", "-._~/", "-._~!'()*", "-._~!'()*;,/?:@&=+$#", "-._*")
#: Characters that get a backslash: by `printf %q` of bash (which differs about `~`) and of zsh, and by
#: quotemeta of Perl.
_BACKSLASHED = (
    re.compile(r"""[ !"$&'()*,;<>?\[\\\]^`{|}]"""),
    re.compile(r"""[ !"$&'()*,;<>?\[\\\]^`{|}]|(?<=[:=])~"""),
    re.compile(r"""[ "#$&'()*;<>?\[\\\]^`{|}]"""),
    re.compile(r"[^\w\x00-\x1f\x7f]", re.ASCII),
)
_CONTROL = re.compile(
    r"[\x00-\x1f\x7f\x85\u2028\u2029]+"
)  # ends of lines, and characters that every program escapes
_WRAPS = (76, 64)  # characters per line of base64: in MIME and by the command `base64`, and in PEM


def forms(secrets: Iterable[str]) -> frozenset[str]:
    """Every text by which one of the secrets can be recognised, including each line and each part between control characters."""
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
    """As JSON encoders write it: some escape all but ASCII, some `/`, some what is special in HTML."""
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
    """The characters that depend on it only, for each position within the three bytes of a group."""
    data = _bytes(text)
    for before in range(3):
        encoded = b2a_base64(bytes(before) + data, newline=False).decode()
        shared = (0, 2, 3)[before]  # characters at the beginning that also depend on the bytes before
        whole = encoded.rstrip("=")[shared:]  # if nothing follows
        alone = encoded[: (before + len(data)) * 8 // 6][shared:]
        wrapped = [
            whole[i : i + width] for width in _WRAPS if not before for i in range(0, len(whole), width)
        ]
        for form in (whole, alone, *wrapped):
            yield form
            yield form.replace("+", "-").replace("/", "_")


def _shell(text: str) -> Iterator[str]:
    """As `set -x`, `printf %q`, `export -p` and the like of sh, bash, ksh and zsh write it."""
    yield text.replace("'", "'\\''")
    yield text.replace("'", "'\"'\"'")
    yield re.sub(r'[$`"\\]', r"\\\g<0>", text)
    for special in _BACKSLASHED:
        yield special.sub(r"\\\g<0>", text)
    for wide in (True, False):
        yield "".join(_dollar_quoted(char, wide=wide) for char in text)


def _dollar_quoted(char: str, *, wide: bool) -> str:
    """As in `$'..'`. Without `wide` other characters than ASCII are bytes, as bash writes them if the locale lacks them."""
    if char in "\\'":
        return "\\" + char
    if char == "\n":
        return "\\n"
    return char if char.isascii() or wide else "".join(map("\\{:03o}".format, _bytes(char)))
