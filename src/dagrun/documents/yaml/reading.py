"""From bytes to text, with the size checked before it costs memory."""

from __future__ import annotations

from pathlib import Path

from dagrun.documents.yaml.text import DocumentError, SourceText
from dagrun.documents.yaml.values import MIB, Finding, Place


def read_text(path: Path, shown: str, most: int) -> str:
    """The text of a file. Raises DocumentError if it is missing, has more than `most` bytes, or is not UTF-8."""
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            # The size of a pipe or a device is 0 and its content may be endless: never read more than necessary.
            raw = file.read(most + 1) if size <= most else b""
    except FileNotFoundError:
        raise _refused(shown, "there is no such file", "missing-file") from None
    except IsADirectoryError:
        raise _refused(shown, "this is a directory, not a file", "is-directory") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise _refused(shown, f"the file cannot be read: {reason}", "unreadable") from None
    if size > most:
        raise _too_large(shown, f"{_amount(size)}, more", most)
    if len(raw) > most:
        raise _too_large(shown, "more", most)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DocumentError([_not_utf8(raw, error.start, shown)]) from None


def check_size(text: str, shown: str, most: int) -> None:
    """Raises DocumentError if a text has more than `most` bytes."""
    # UTF-8 needs at most four bytes per character: only text near the limit must be encoded to know its size.
    if len(text) * 4 > most and (size := len(text.encode("utf-8", "surrogatepass"))) > most:
        raise _too_large(shown, f"{_amount(size)}, more", most)


def _refused(shown: str, message: str, code: str) -> DocumentError:
    return DocumentError([Finding(Place(shown, 1, 1), message, code)])


def _too_large(shown: str, has: str, most: int) -> DocumentError:
    return _refused(shown, f"the text has {has} than the {_amount(most)} allowed", "too-large")


def _amount(size: int) -> str:
    return f"{size / MIB:.4g} MiB" if size >= MIB else f"{size} bytes"


def _not_utf8(raw: bytes, at: int, shown: str) -> Finding:
    before = SourceText(raw[:at].decode("utf-8"), shown)
    utf16 = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
    suggestion = "the file looks like UTF-16; save it as UTF-8" if utf16 else "save the file as UTF-8"
    message = f"byte 0x{raw[at]:02x} is not valid UTF-8"
    return Finding(before.at(len(before.text)), message, "not-utf8", suggestion)
