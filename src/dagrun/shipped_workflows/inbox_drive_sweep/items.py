"""Reads an inbox and a file list as items: mail blocks, lists with one item per line, or plain text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from dagrun.shipped_workflows.shared.dates import full_date
from dagrun.shipped_workflows.shared.pattern import Pattern
from dagrun.shipped_workflows.shared.plain_text import squeeze


@dataclass(slots=True, kw_only=True)
class Item:
    """One mail, list line or file; `line` is the 1-based line of its input where it begins."""

    kind: str  #: mail, note or file
    line: int
    title: str
    sender: str = ""
    to: str = ""
    cc: str = ""
    day: date | None = None
    #: a mail's body without quoted text, a note's line, a file's remarks
    text: str = ""


_HEADER = Pattern(
    r"(From|To|Cc|Bcc|Date|Sent|Subject|Reply-To|Message-ID|In-Reply-To|X-[\w-]+):(?:\s+(.*))?$",
    re.IGNORECASE,
)
_MBOX = Pattern(r"From \S+.*\d{4}")
_FORWARDED = Pattern(r"forwarded message|original message|weitergeleitete", re.IGNORECASE)
_SEPARATOR = Pattern(r"[-=_*]{3,}$")
_BULLET = Pattern(r"(?:[-*•+]|\d{1,3}[.)]|\[[ xX]\])\s+")
_ADDRESS = Pattern(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_LEADING_SENDER = Pattern(
    r"(?P<sender>[^<>|:]{0,60}<[^<>@\s]+@[^<>\s]+>|[\w.+-]+@[\w.-]+\w)\s*[:,;–—-]+\s*(?P<title>.+)$"
)
_LEADING_DATE = Pattern(r"[\[(]?(?:19|20)\d\d-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?)?[\])]?\s*[:,;–—-]?\s*")


def read_inbox(lines: Sequence[str]) -> list[Item]:
    """Mails where there are mail headers, else one note per line; indented lines belong to the note above."""
    starts = [index for index in range(len(lines)) if _mail_starts(lines, index)]
    if not starts:
        return list(_notes(lines, 0))
    items = list(_notes(lines[: starts[0]], 0))
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        items.append(_mail(lines[start:end], start + 1))
    return items


def _mail_starts(lines: Sequence[str], index: int) -> bool:
    """Whether a mail starts here: two header lines at the start of a paragraph, not those of a forwarded mail."""
    header = _HEADER.match(lines[index])
    following = lines[index + 1] if index + 1 < len(lines) else ""
    if (
        not header
        or header[1].lower() not in ("from", "subject", "date", "to")
        or not _HEADER.match(following)
    ):
        return False
    above = lines[index - 1].strip() if index else ""
    if above and not _MBOX.match(above) and not _SEPARATOR.match(above):
        return False
    before = next((line for line in reversed(lines[:index]) if line.strip()), "")
    return not _FORWARDED.search(before)


def _mail(block: Sequence[str], line: int) -> Item:
    headers: dict[str, str] = {}
    name, body_at = "", len(block)
    for index, text in enumerate(block):
        if match := _HEADER.match(text):
            name = match[1].lower()
            headers.setdefault(name, (match[2] or "").strip())
        elif text[:1] in (" ", "\t") and text.strip() and name:
            headers[name] += " " + text.strip()  # a folded header
        else:
            body_at = index
            break
    return Item(
        kind="mail",
        line=line,
        title=squeeze(headers.get("subject", "")) or "(no subject)",
        sender=headers.get("from", ""),
        to=headers.get("to", ""),
        cc=headers.get("cc", ""),
        day=full_date(headers.get("date") or headers.get("sent") or ""),
        text=_body_text(block[body_at:]),
    )


def _body_text(body: Sequence[str]) -> str:
    """The body without quoted text; paragraphs stay separate."""
    kept: list[str] = []
    for line in body:
        text = line.strip()
        if _FORWARDED.search(text) and text.startswith("-"):
            break
        if not text.startswith(">") and not _MBOX.match(text) and not _SEPARATOR.match(text):
            kept.append(text)
    return "\n".join(kept).strip()


def _notes(lines: Sequence[str], offset: int) -> Iterator[Item]:
    current: Item | None = None
    for number, raw in enumerate(lines, offset + 1):
        text = raw.strip()
        if not text or text.startswith("# ") or _SEPARATOR.match(text):
            continue
        if current and raw[:1].isspace() and not _BULLET.match(text):
            current.text += " " + text
            continue
        if current:
            yield current
        current = _note(_BULLET.sub("", text, count=1), number)
    if current:
        yield current


def _note(text: str, line: int) -> Item:
    """One line of a list: `date | sender | subject`, `Ana <a@x.org>: subject`, or plain text."""
    fields = [field.strip() for field in re.split(r"\s*[|\t]\s*", text) if field.strip()]
    if len(fields) > 1:
        return _note_of_fields(fields, line)
    day = full_date(match.group()) if (match := _LEADING_DATE.match(text)) else None
    rest = text[match.end() :] if match and day else text
    who = _LEADING_SENDER.match(rest)
    title = who["title"] if who else rest or text
    return Item(
        kind="note",
        line=line,
        title=squeeze(title),
        sender=who["sender"].strip() if who else "",
        day=day,
        text=text,
    )


def _note_of_fields(fields: list[str], line: int) -> Item:
    dated = next((field for field in fields if full_date(field) and len(field) <= 32), None)
    others = [field for field in fields if field is not dated] or fields
    sender = next((field for field in others if _ADDRESS.search(field)), others[0] if len(others) > 1 else "")
    titles = [field for field in others if field is not sender] or others
    return Item(
        kind="note",
        line=line,
        title=" | ".join(titles),
        sender=sender,
        day=full_date(dated) if dated else None,
        text=" | ".join(titles),
    )


_FILE_COLUMNS = {
    "path": ("path", "name", "file", "filename", "document", "title"),
    "owner": ("owner", "author", "modified by", "last modified by"),
    "modified": ("modified", "date", "changed", "last modified", "modified at", "updated"),
}


def read_files(lines: Sequence[str]) -> list[Item]:
    """A file list, one per line: columns by `|`, tab, `;` or `,`, with a heading or as path, owner, date."""
    columns: dict[str, int] | None = None
    files: list[Item] = []
    for number, raw in enumerate(lines, 1):
        text = raw.strip()
        if not text or text.startswith("#") or _SEPARATOR.match(text):
            continue
        fields = _columns(text)
        if columns is None and not files and (named := _named_columns(fields)):
            columns = named
        else:
            files.append(_file(fields, columns or {}, number))
    return files


def _columns(text: str) -> list[str]:
    for separator in ("|", "\t", ";", ","):
        if separator in text:
            return [field.strip() for field in text.strip("|").split(separator)]
    return [_BULLET.sub("", text, count=1)]


def _named_columns(fields: list[str]) -> dict[str, int] | None:
    lower = [field.lower() for field in fields]
    found = {
        key: lower.index(name) for key, names in _FILE_COLUMNS.items() for name in names if name in lower
    }
    return found if "path" in found and len(fields) > 1 else None


def _file(fields: list[str], columns: dict[str, int], line: int) -> Item:
    def field(key: str) -> str:
        index = columns.get(key, -1)
        return fields[index] if 0 <= index < len(fields) else ""

    if columns:
        path, owner, modified = field("path"), field("owner"), field("modified")
        rest = [value for index, value in enumerate(fields) if index not in columns.values()]
    else:
        path = fields[0]
        modified = next((value for value in fields[1:] if full_date(value) and len(value) <= 32), "")
        others = [value for value in fields[1:] if value is not modified]
        owner, rest = (others[0], others[1:]) if modified and others else ("", others)
    return Item(
        kind="file",
        line=line,
        title=path or fields[0],
        sender=owner,
        day=full_date(modified),
        text=", ".join(filter(None, rest)),
    )
