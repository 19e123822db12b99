"""Text with positions: YAML read into plain data, where each value stood, and the caret that points there."""

from __future__ import annotations

import difflib
import gc
import re
import unicodedata
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal, NoReturn, cast

import yaml
from yaml import events as ev

from dagrun.errors import DagrunError

__all__ = ["Finding", "Limits", "Place", "Source", "SourceError", "render"]

MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands."""

    #: The file's name as the user wrote it, or "<inline>".
    path: str
    #: Counted from 1.
    line: int
    #: Counted from 1, in characters.
    column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to tell about a document."""

    place: Place
    #: One sentence without its final period.
    message: str
    #: Kebab-case, for machines: "duplicate-key".
    code: str
    #: What to do about it: "did you mean 'depends_on'?".
    suggestion: str = ""
    level: Literal["error", "warning"] = "error"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a document may ask for; beyond it the text is refused before it costs memory."""

    text_bytes: int = 32 * MIB
    #: Collections inside each other, counted through aliases too.
    depth: int = 64
    #: Nodes that aliases add to those which were written.
    extra_nodes: int = 1_000_000


class DocumentError(DagrunError):
    """A document has errors; `findings` tells them all, `source` is its text where there is any."""

    def __init__(self, findings: Iterable[Finding], source: Source | None = None) -> None:
        self.findings = tuple(findings)
        self.source = source
        super().__init__("\n".join(finding.message for finding in self.findings))


SourceError = DocumentError

DEFAULT_LIMITS: Final = Limits()


class Source:
    """One document's text.

    `load` is quick and keeps no positions. The first question about a position reads the text once more and keeps
    where everything stood, so a document without findings never pays for them.
    """

    def __init__(self, text: str, path: str, limits: Limits = DEFAULT_LIMITS) -> None:
        self.text = text.removeprefix("\ufeff")
        self.path = path
        self.limits = limits

    @classmethod
    def read(cls, path: Path, shown: str | None = None, limits: Limits = DEFAULT_LIMITS) -> Source:
        """The text of a file; SourceError if it is missing, too large, or not text that YAML accepts."""
        shown = str(path) if shown is None else shown
        raw = _read_bytes(path, shown, limits.text_bytes)
        try:
            source = cls(raw.decode("utf-8"), shown, limits)
        except UnicodeDecodeError as error:
            raise SourceError([_not_utf8(raw, error.start, shown)]) from None
        if raw.translate(None, _ORDINARY_BYTES) and (refused := _refused_character(source)):
            raise SourceError([refused])
        return source

    @classmethod
    def inline(cls, text: str, shown: str = "<inline>", limits: Limits = DEFAULT_LIMITS) -> Source:
        """Text given directly; SourceError if it is too large."""
        # UTF-8 needs at most four bytes per character: only text near the limit has to be encoded to know.
        if len(text) * 4 > limits.text_bytes:
            size = len(text.encode("utf-8", "surrogatepass"))
            if size > limits.text_bytes:
                raise SourceError([_too_large(shown, size, limits.text_bytes)])
        return cls(text, shown, limits)

    def load(self) -> Any:
        """The document as dicts, lists, str, int, float, bool and None; SourceError tells its findings."""
        try:
            with _no_garbage_collection():
                return _Builder(self.limits).build(_events(self.text))
        except _UNREADABLE as error:
            # The quick build ends at its first finding, so there was none before this.
            findings: tuple[Finding, ...] = (_unreadable_finding(self, error),)
        except _Halt:
            findings = ()
        # Raised out here, for as the context of another error the half-built data would live on. The second, slower
        # reading knows the places and goes on after the first finding.
        raise SourceError(findings or self._survey.findings)

    def place(self, path: tuple[str | int, ...], key: bool = False) -> Place:
        """Where the value at `path` (or its key) stands, or else its nearest parent that was written.

        An alias stands where it is used; what lies inside it stands where its anchor was written.
        """
        entry, _ = self._find(path)
        if entry is None:
            return Place(self.path, 1, 1)
        key_at, value_at, _ = entry
        return self._at(key_at if key else value_at)

    def written(self, path: tuple[str | int, ...]) -> str | None:
        """The text of the scalar at `path` as it was written ("3.10", "on", "~"); None if there is no scalar."""
        entry, found = self._find(path)
        if entry is None or not found or not isinstance(entry[2], str):
            return None
        return entry[2]

    def line(self, number: int) -> str:
        """One line, counted from 1, without its end; empty if there is no such line."""
        starts = self._line_starts
        if not 1 <= number <= len(starts):
            return ""
        end = starts[number] if number < len(starts) else len(self.text)
        return self.text[starts[number - 1] : end].rstrip(_LINE_ENDS)

    def excerpt(self, place: Place, width: int = 1) -> str:
        """The line at `place` and under it a caret, or `width` of them."""
        shown, indent, carets = _window(self.line(place.line), place.column - 1, width)
        gutter = f"{place.line:>5}"
        quoted = f"{gutter} | {shown}".rstrip()
        return f"{quoted}\n{' ' * len(gutter)} | {' ' * indent}{'^' * carets}"

    # --- positions ---

    @cached_property
    def _line_starts(self) -> array[int]:
        starts = array("L", [0])
        starts.extend(match.end() for match in _LINE_END.finditer(self.text))
        return starts

    def _at(self, index: int) -> Place:
        starts = self._line_starts
        row = bisect_right(starts, index) - 1
        return Place(self.path, row + 1, index - starts[row] + 1)

    @cached_property
    def _survey(self) -> _Survey:
        """The reading that keeps places and collects all findings."""
        builder = _Builder(self.limits, self._at)
        findings = builder.findings
        try:
            with _no_garbage_collection():
                builder.build(_events(self.text))
        except _Halt:
            pass
        except _UNREADABLE as error:
            findings.append(_unreadable_finding(self, error))
        return _Survey(builder.top[0] if builder.top else None, tuple(findings))

    def _find(self, path: tuple[str | int, ...]) -> tuple[_Entry | None, bool]:
        """The entry at `path` and True, or that of the nearest parent and False."""
        entry = self._survey.root
        if entry is None:
            return None, False
        for step in path:
            inner = _child(entry[2], step)
            if inner is None:
                return entry, False
            entry = inner
        return entry, True


def render(finding: Finding, source: Source | None) -> str:
    """A finding for people: its place and message, the line with a caret, and what to do."""
    place = finding.place
    parts = [_escaped(f"{place}: {finding.level}: {finding.message} [{finding.code}]")]
    # A finding may speak of another file than the one at hand; a line of the wrong file would mislead.
    if source is not None and source.path == place.path:
        parts.append(source.excerpt(place))
    if finding.suggestion:
        parts.append(_escaped(f"  help: {finding.suggestion}"))
    return "\n".join(parts)


# --- reading bytes ---

#: What YAML takes for the end of a line; marks count lines by them.
_LINE_ENDS: Final = "\r\n\x85\u2028\u2029"
_LINE_END: Final = re.compile(r"\r\n|[\r\n\x85\u2028\u2029]")
_REFUSED: Final = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
#: All that a text of accepted characters below U+0080 is made of; multi-byte characters are left to the YAML reader.
_ORDINARY_BYTES: Final = b"\t\n\r" + bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100))


def _read_bytes(path: Path, shown: str, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            if size > most:
                raise SourceError([_too_large(shown, size, most)])
            # A pipe or a device says 0 and may go on for ever: never read more than is needed to know.
            raw = file.read(most + 1)
    except FileNotFoundError:
        raise SourceError([_unread(shown, "there is no such file", "missing-file")]) from None
    except IsADirectoryError:
        raise SourceError([_unread(shown, "this is a directory, not a file", "is-directory")]) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SourceError([_unread(shown, f"the file cannot be read: {reason}", "unreadable")]) from None
    if len(raw) > most:
        raise SourceError([_too_large(shown, None, most)])
    return raw


def _unread(shown: str, message: str, code: str) -> Finding:
    return Finding(Place(shown, 1, 1), message, code)


def _too_large(shown: str, size: int | None, most: int) -> Finding:
    has = "more" if size is None else f"{_amount(size)}, more"
    return _unread(shown, f"the text has {has} than the {_amount(most)} allowed", "too-large")


def _amount(size: int) -> str:
    return f"{size / MIB:.4g} MiB" if size >= MIB else f"{size} bytes"


def _not_utf8(raw: bytes, at: int, shown: str) -> Finding:
    before = Source(raw[:at].decode("utf-8"), shown)
    place = before._at(len(before.text))
    utf16 = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
    help_ = "the file looks like UTF-16; save it as UTF-8" if utf16 else "save the file as UTF-8"
    return Finding(place, f"byte 0x{raw[at]:02x} is not valid UTF-8", "not-utf8", help_)


def _refused_character(source: Source) -> Finding | None:
    match = _REFUSED.search(source.text)
    if match is None:
        return None
    number = ord(match[0])
    help_ = f'write "\\x{number:02x}" inside double quotes' if unicodedata.category(match[0]) == "Cc" else ""
    message = f"character U+{number:04X} is not allowed in YAML"
    return Finding(source._at(match.start()), message, "control-character", help_)


# --- building ---


class _Halt(Exception):
    """Ends a reading: what follows is not worth it."""


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Hundreds of thousands of new containers would wake the collector again and again, to find nothing."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _events(text: str) -> Callable[[], Any]:
    """What gives the next event at each call. Events are flat: nesting costs libyaml no stack, unlike its nodes."""
    loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
    pull: Callable[[], Any] = loader(text).get_event
    return pull


#: What a reader raises. Besides its own errors: lone surrogates do not encode, and the pure Python reader trips over
#: escapes beyond Unicode.
_UNREADABLE: Final = (yaml.YAMLError, ValueError, OverflowError)

#: Where a value stands: index of its key (its own for list items), index of the value, and the value: text,
#: list of entries, or dict of entries.
_Entry = tuple[int, int, Any]


def _child(node: Any, step: str | int) -> _Entry | None:
    if isinstance(node, dict):
        entry: _Entry | None = node.get(step)
        return entry
    if isinstance(node, list) and isinstance(step, int) and 0 <= step < len(node):
        return cast(_Entry, node[step])
    return None


@dataclass(frozen=True, slots=True)
class _Survey:
    root: _Entry | None
    findings: tuple[Finding, ...]


@dataclass(slots=True)
class _Anchor:
    """What an alias can refer to."""

    value: Any
    #: The text of a scalar, which may serve as a key.
    text: str | None = None
    #: How many nodes an alias adds, and how many levels.
    nodes: int = 1
    height: int = 0
    #: False until a collection's end has been read.
    finished: bool = True


@dataclass(slots=True)
class _Opened:
    """An anchored collection being read, with the counters as they were before it."""

    anchor: _Anchor
    nodes: int
    deepest: int


#: Nobody reads more, and ten million duplicate keys should not cost gigabytes of findings.
_MOST_FINDINGS: Final = 100
_NOTHING: Final = _Anchor(None, nodes=0)
#: Stands for a key in lists.
_ITEM: Final = object()
#: The key `<<` until its mapping ends.
_MERGE: Final = object()
#: Takes the value of a key that cannot be used.
_LOST: Final = object()
#: Keys that need a closer look when they are plain.
_ODD_KEYS: Final = frozenset({"", "~", "null", "Null", "NULL", "<<"})


class _Builder:
    """Builds data straight from events, without recursion, in one of two ways that share every step.

    Without `locate` the values are plain data and the first finding ends the build: quick, and enough for a document
    that is in order. With `locate` each value is an `_Entry` whose scalars are texts as written, and findings are
    collected.
    """

    def __init__(self, limits: Limits, locate: Callable[[int], Place] | None = None) -> None:
        self.limits = limits
        self.locate = locate
        self.findings: list[Finding] = []
        self.anchors: dict[str, _Anchor] = {}
        #: Holds the document's root once there is one.
        self.top: list[Any] = []

    def build(self, pull: Callable[[], Any]) -> Any:
        """The document's root.

        One long loop on purpose: it runs once per event, and calls would cost more than the work. `current` is the
        collection being filled and `key` what its next value goes to: a key, `_ITEM` in a list, or None where a
        mapping waits for a key.
        """
        marked = self.locate is not None
        scalar, mapping, sequence = ev.ScalarEvent, ev.MappingStartEvent, ev.SequenceStartEvent
        mapping_end, sequence_end, alias = ev.MappingEndEvent, ev.SequenceEndEvent, ev.AliasEvent
        # The same few keys come thousands of times; one string each saves most of their memory.
        same_key = dict[str, str]().setdefault
        most_deep, most_extra = self.limits.depth, self.limits.extra_nodes
        current: Any = self.top
        key: Any = _ITEM
        key_at = 0
        text: str = ""
        value: Any = None
        stack: list[tuple[Any, Any]] = []
        opened: list[_Opened] = []
        nodes = extra = deepest = documents = 0

        while True:
            event = pull()
            kind = type(event)

            if kind is scalar:
                nodes += 1
                text = event.value
                if key is None:
                    if text in _ODD_KEYS or event.tag is not None or event.anchor is not None:
                        key = self._odd_key(event)
                    else:
                        key = same_key(text, text)
                    if key in current:
                        key = self._duplicate(event, key, current)
                    if marked:
                        key_at = event.start_mark.index
                    continue
                if event.tag is not None:
                    value = self._tagged(event)
                elif text[:1] in _TELLING and not event.style:
                    value = _plain(text)
                else:
                    value = text
                if event.anchor is not None:
                    self.anchors[event.anchor] = _Anchor(text if marked else value, text)

            elif kind is mapping or kind is sequence:
                value = {} if kind is mapping else []
                depth = len(stack) + 1
                if depth > most_deep:
                    self._halt(event, "too-deep", _too_deep(most_deep))
                if key is None:
                    self._report(event.start_mark.index, "complex-key", _COMPLEX_KEY, _QUOTE_BRACES)
                if event.tag is not None:
                    self._check_collection_tag(event)
                if event.anchor is not None:
                    anchor = self.anchors[event.anchor] = _Anchor(value, finished=False)
                    opened.append(_Opened(anchor, nodes, deepest))
                    deepest = depth
                elif depth > deepest:
                    deepest = depth
                nodes += 1

            elif kind is mapping_end or kind is sequence_end:
                if kind is mapping_end and _MERGE in current:
                    self._merge(current)
                if opened and opened[-1].anchor.value is current:
                    done = opened.pop()
                    done.anchor.nodes = nodes - done.nodes
                    done.anchor.height = deepest - len(stack) + 1
                    done.anchor.finished = True
                    deepest = max(deepest, done.deepest)
                current, key = stack.pop()
                continue

            elif kind is alias:
                anchor = self._anchor_of(event)
                # Counted before anything grows: a list of aliases to lists of aliases doubles at every level.
                nodes += anchor.nodes
                extra += anchor.nodes
                if extra > most_extra:
                    self._halt(
                        event, "too-many-nodes", f"aliases add more than the {most_extra:,} values allowed"
                    )
                if len(stack) + anchor.height > deepest:
                    deepest = len(stack) + anchor.height
                    if deepest > most_deep:
                        self._halt(event, "too-deep", _too_deep(most_deep))
                if key is None:
                    key = self._alias_key(event, anchor)
                    if key in current:
                        key = self._duplicate(event, key, current)
                    if marked:
                        key_at = event.start_mark.index
                    continue
                value = anchor.value

            elif kind is ev.DocumentStartEvent:
                documents += 1
                if documents > 1:
                    self._halt(
                        event, "many-documents", "a second document starts here; a file holds one", _ONE_EACH
                    )
                continue
            elif kind is ev.StreamEndEvent:
                break
            else:
                continue

            if marked:
                at = event.start_mark.index
                entry = (at if key is _ITEM else key_at, at, text if kind is scalar else value)
            else:
                entry = value
            if key is _ITEM:
                current.append(entry)
            elif key is None:
                key = _LOST
            else:
                current[key] = entry
                key = None
            if kind is mapping:
                stack.append((current, key))
                current, key = value, None
            elif kind is sequence:
                stack.append((current, key))
                current, key = value, _ITEM

        root: Any = self.top[0] if self.top else None
        # A document of comments only is an empty scalar; `null` and `""` are written, and say something.
        if not self.top or (value is None and not text and (root[2] == "" if marked else root is None)):
            self._report(0, "empty", "the file is empty")
        return root

    # --- findings ---

    def _report(self, at: int, code: str, message: str, suggestion: str = "") -> None:
        """Notes a finding; the quick build ends at once, since it knows no places."""
        if self.locate is None:
            raise _Halt
        self.findings.append(Finding(self.locate(at), message, code, suggestion))
        if len(self.findings) == _MOST_FINDINGS:
            raise _Halt

    def _halt(self, event: Any, code: str, message: str, suggestion: str = "") -> NoReturn:
        self._report(event.start_mark.index, code, message, suggestion)
        raise _Halt

    # --- keys ---

    def _odd_key(self, event: Any) -> object:
        """A key that has an anchor or a tag, or is one of the words that mean something."""
        if event.tag is None and not event.style and event.value == "<<":
            return _MERGE
        value = event.value
        if event.tag is not None:
            value = self._tagged(event)
        elif not event.style:
            value = _plain(value)
        if event.anchor is not None:
            self.anchors[event.anchor] = _Anchor(event.value if self.locate else value, event.value)
        if value is None:
            self._report(
                event.start_mark.index, "null-key", "a key is missing before ':'", "write the key in quotes"
            )
            return _LOST
        return event.value

    def _alias_key(self, event: Any, anchor: _Anchor) -> object:
        if anchor.text is not None:
            return anchor.text
        if anchor is not _NOTHING:
            self._report(event.start_mark.index, "complex-key", _COMPLEX_KEY)
        return _LOST

    def _duplicate(self, event: Any, key: object, current: dict[object, Any]) -> object:
        """Reports a key that stands in its mapping already; the first one keeps its value."""
        if key is not _LOST:
            if self.locate is None:
                raise _Halt
            name = "<<" if key is _MERGE else _brief(str(key))
            first = self.locate(current[key][0]).line
            self._report(
                event.start_mark.index,
                "duplicate-key",
                f"key '{name}' is written twice, first in line {first}",
            )
        return _LOST

    # --- tags, aliases, merges ---

    def _tagged(self, event: Any) -> Any:
        """The value of a scalar with an explicit tag."""
        text = event.value
        if event.tag == "!":
            return text
        tag = event.tag.removeprefix(_YAML_TAG)
        fits = _TAGGED_TYPES.get(tag)
        if fits is None:
            self._unknown_tag(event)
            return text
        value = text if fits is str else _plain(text)
        if fits is float and type(value) is int:
            value = float(str(value))  # float(int) raises where the number is too large; this gives inf
        if type(value) is not fits:
            self._mismatch(event, f"'{_brief(text)}'")
            return text
        return value

    def _check_collection_tag(self, event: Any) -> None:
        tag = event.tag.removeprefix(_YAML_TAG)
        own = "map" if type(event) is ev.MappingStartEvent else "seq"
        if tag in _TAGGED_TYPES and tag != own:
            self._mismatch(event, "a mapping" if own == "map" else "a list")
        elif tag not in (own, "!"):
            self._unknown_tag(event)

    def _mismatch(self, event: Any, what: str) -> None:
        self._report(
            event.start_mark.index, "tag-mismatch", f"{what} does not fit its tag {_tag_name(event.tag)}"
        )

    def _unknown_tag(self, event: Any) -> None:
        message = f"tag {_tag_name(event.tag)} is not allowed"
        self._report(
            event.start_mark.index, "unknown-tag", message, "leave the tag out, or put the text in quotes"
        )

    def _anchor_of(self, event: Any) -> _Anchor:
        name = event.anchor
        anchor = self.anchors.get(name)
        at = event.start_mark.index
        if anchor is None:
            near = difflib.get_close_matches(name, self.anchors, n=1)
            help_ = (
                f"did you mean '*{near[0]}'?" if near else f"put '&{name}' before the value it should repeat"
            )
            self._report(at, "undefined-alias", f"alias '*{name}' has no anchor '&{name}' before it", help_)
            return _NOTHING
        if not anchor.finished:
            self._report(at, "recursive-alias", f"alias '*{name}' stands inside its own anchor")
            return _NOTHING
        return anchor

    def _merge(self, current: dict[object, Any]) -> None:
        """Takes in what stands under `<<`: keys of its own win, then those of the first mapping listed."""
        entry = current.pop(_MERGE)
        listed = entry[2] if self.locate else entry
        sources = listed if isinstance(listed, list) else [entry]
        merged: dict[object, Any] = {}
        for source in reversed(sources):
            mapping = source[2] if self.locate else source
            if isinstance(mapping, dict):
                merged.update(mapping)
            elif mapping is not None or not self.locate:  # None: an alias that was reported
                at = source[1] if self.locate else 0
                self._report(at, "merge", "'<<' takes a mapping or a list of mappings")
        # In place, for the collection above holds this very dict already.
        merged.update(current)
        current.clear()
        current.update(merged)


# --- scalars ---

_YAML_TAG: Final = "tag:yaml.org,2002:"
#: What a tag's scalar is built into; `seq` and `map` fit no scalar.
_TAGGED_TYPES: Final[dict[str, type]] = {
    "str": str, "int": int, "float": float, "bool": bool, "null": type(None), "seq": list, "map": dict
}  # fmt: skip
_WORDS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
}
#: First characters of plain scalars which may be more than text.
_TELLING: Final = frozenset("0123456789+-.~tTfFnN") | {""}
_NUMBER: Final = re.compile(
    r"([-+]?[0-9]+)|0o([0-7]+)|0x([0-9a-fA-F]+)"
    r"|([-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)|([-+]?)\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
#: Python refuses to print ints of more than 4,300 decimal digits; in every base, this many characters stay below.
_LONGEST_INT: Final = 3500


def _plain(text: str) -> Any:
    """What a plain scalar means in YAML 1.2's core schema: `on`, dates, `1:30` and `1_000` are text."""
    if text in _WORDS:
        return _WORDS[text]
    match = _NUMBER.fullmatch(text)
    if match is None:
        return text
    form = match.lastindex
    if form is not None and form <= 3:
        if len(text) > _LONGEST_INT:
            return text
        return int(match[form], _BASES[form])
    if form == 4:
        return float(text)
    return float(match[5] + "inf") if form == 5 else float("nan")


_BASES: Final = (0, 10, 8, 16)


def _tag_name(tag: str) -> str:
    return "!!" + tag.removeprefix(_YAML_TAG) if tag.startswith(_YAML_TAG) else tag


def _brief(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"


_QUOTE_IT: Final = "put the value in quotes"
_COMPLEX_KEY: Final = "a key must be text, not a list or a mapping"
_QUOTE_BRACES: Final = "put text that starts with '{' or '[' in quotes"
_ONE_EACH: Final = "move it to a file of its own"


def _too_deep(most: int) -> str:
    return f"lists and mappings are nested more than {most} levels deep"


# --- syntax errors, in words for people ---


@dataclass(frozen=True, slots=True)
class _Snag:
    """Where and why the YAML reader gave up."""

    source: Source
    problem: str
    #: What it was reading ("while scanning a quoted scalar"), and where that began.
    context: str
    at: int
    began: int

    @property
    def char(self) -> str:
        """The character at the snag; empty at the text's end."""
        return self.source.text[self.at : self.at + 1]

    @property
    def before(self) -> str:
        """The line up to the snag."""
        place = self.source._at(self.at)
        return self.source.line(place.line)[: place.column - 1]

    @property
    def at_end(self) -> bool:
        return not self.source.text[self.at :].strip()

    @property
    def row(self) -> int:
        return self.source._at(self.at).line

    def line_above(self) -> tuple[int, str]:
        """The nearest line above that is neither empty nor a comment; number 0 if there is none."""
        for number in range(self.row - 1, 0, -1):
            line = self.source.line(number).strip()
            if line and not line.startswith("#"):
                return number, line
        return 0, ""


#: Where it is, what is wrong, what to do.
_Told = tuple[int, str, str]


def _unreadable_finding(source: Source, error: Exception) -> Finding:
    if isinstance(error, yaml.MarkedYAMLError):
        return _syntax_finding(source, error)
    # libyaml counts bytes here, and lone surrogates have no place at all: look for the character ourselves.
    refused = _refused_character(source)
    return refused or Finding(Place(source.path, 1, 1), str(error).splitlines()[0], "syntax")


def _syntax_finding(source: Source, error: yaml.MarkedYAMLError) -> Finding:
    mark = error.problem_mark or error.context_mark
    at = min(mark.index, len(source.text)) if mark else 0
    began = min(error.context_mark.index, len(source.text)) if error.context_mark else at
    snag = _Snag(source, error.problem or "", error.context or "", at, began)
    for pattern, tell in _TELLERS:
        if re.search(pattern, f"{snag.context} | {snag.problem}"):
            told = tell(snag)
            if told is not None:
                index, message, suggestion = told
                return Finding(source._at(index), message, "syntax", suggestion)
    return Finding(source._at(at), f"{snag.problem} {snag.context}".strip(), "syntax")


def _tab(snag: _Snag) -> _Told | None:
    """A tab where indentation is counted, whatever the reader made of it."""
    if snag.char == "\t" and not snag.before.strip(" \t"):
        return (
            snag.at,
            "a tab is used for indentation",
            "YAML does not allow tabs for indentation; use spaces",
        )
    return None


def _wrong_start(snag: _Snag) -> _Told | None:
    if snag.char in ("@", "`", "%"):
        return snag.at, f"a value cannot start with '{snag.char}' unless it is quoted", _QUOTE_IT
    return None


def _colon(snag: _Snag) -> _Told:
    """A ':' where no key may end: in a value, below a line without ':', or in a line indented too far."""
    if re.search(r"\S:\s", snag.before):
        return (
            snag.at,
            "a value holds ': ', which starts another mapping",
            f"{_QUOTE_IT}, or start a new line",
        )
    number, above = snag.line_above()
    if number and not re.search(r":(\s|$)", above) and not above.startswith("-"):
        return (
            snag.at,
            f"a ':' is missing in line {number}, or this line is indented too far",
            _colon_help(above),
        )
    if number:
        return (
            snag.at,
            f"this line is indented deeper than line {number}, which has its value already",
            _ALIGN,
        )
    return snag.at, "a ':' is not allowed here", _QUOTE_IT


def _colon_help(line: str) -> str:
    glued = re.match(r"(-)[^\s-]|[\w.-]+(:)[^\s/]", line)
    if glued:
        return f"put a space after '{glued[1] or glued[2]}'"
    return "write 'key: value'"


def _no_colon(snag: _Snag) -> _Told:
    """A line that should be a key and has no ':'."""
    place = snag.source._at(snag.began)
    line = snag.source.line(place.line)[place.column - 1 :].strip()
    return snag.began, f"a ':' is missing after '{_brief(line)}'", _colon_help(line)


def _glued_colon(snag: _Snag) -> _Told:
    return snag.at, "a ':' inside brackets needs a space after it", "put a space after ':', or quote it"


def _open_bracket(snag: _Snag) -> _Told:
    bracket = snag.source.text[snag.began]
    if snag.at_end:
        return snag.began, f"'{bracket}' is never closed", f"add '{_CLOSING[bracket]}'"
    wanted = f"',' or '{_CLOSING[bracket]}'"
    first, last = snag.source._at(snag.began).line, snag.row
    if first == last:
        return snag.at, f"expected {wanted} here", f"{_QUOTE_IT} if it holds any of {{ }} [ ] , : #"
    # The bracket is what a person has to look at: the reader went on into lines which were not meant.
    return snag.began, f"'{bracket}' is not closed before line {last}", f"add {wanted}"


def _no_value(snag: _Snag) -> _Told:
    if not snag.at_end:
        return snag.at, f"a value cannot start with '{snag.char}'", _QUOTE_IT
    written = snag.source.text.rstrip()
    if written.endswith(("[", "{")):
        return len(written) - 1, f"'{written[-1]}' is never closed", f"add '{_CLOSING[written[-1]]}'"
    return snag.at, "the text ends where a value is expected", "is a bracket still open?"


def _open_quote(snag: _Snag) -> _Told:
    quote = snag.source.text[snag.began]
    return snag.began, f"the quote {quote} is never closed", f"add {quote} where the text ends"


def _no_key(snag: _Snag) -> _Told:
    """The reader wanted the next key or item and met something else."""
    if not snag.before.strip():
        return _odd_line(snag)
    if re.search(r"(?:^|[\s,:\[{])[>|][-+\d]*\s*$", snag.before):
        return snag.at, "this text is not indented as its block asks", _ALIGN
    if snag.char and snag.char in "]}":
        return snag.at, f"'{snag.char}' closes nothing", "remove it, or put the value in quotes"
    return (
        snag.at,
        "unexpected text after the value",
        "put the whole value in quotes; inside '…' write '' for '",
    )


def _odd_line(snag: _Snag) -> _Told:
    if len(snag.before) == snag.source._at(snag.began).column - 1:
        if snag.char == "-":
            return snag.at, "a list item stands among the keys of a mapping", "a list needs a key of its own"
        if "collection" in snag.context:
            return (
                snag.at,
                "a key stands among the items of a list",
                "give it more spaces if it belongs to the item above",
            )
    return snag.at, _FITS_NOWHERE, _ALIGN


def _item_in_line(snag: _Snag) -> _Told:
    return (
        snag.at,
        "a list item cannot start in the middle of a line",
        "put '- ' on a line of its own, or quote it",
    )


def _unknown_escape(snag: _Snag) -> _Told:
    escape = snag.source.text[snag.at : snag.at + 2]
    help_ = "use single quotes, or write '\\\\' for a backslash"
    return snag.at, f"'{escape}' is not an escape that YAML knows", help_


def _bare_sign(snag: _Snag) -> _Told | None:
    sign = snag.source.text[snag.began : snag.began + 1]
    if sign not in ("*", "&", "!"):
        return None
    means = {"*": "an alias", "&": "an anchor", "!": "a tag"}[sign]
    return snag.began, f"'{sign}' starts {means} in YAML, and this is none", _QUOTE_IT


def _after_document(snag: _Snag) -> _Told:
    if not snag.before.strip() and snag.line_above()[1] != "...":
        return snag.at, _FITS_NOWHERE, _ALIGN
    return snag.at, "unexpected text after the end of the document", _QUOTE_IT


_FITS_NOWHERE: Final = "this line's indentation fits none of the lines above"
_ALIGN: Final = "give lines that belong together the same number of spaces"
_CLOSING: Final = {"[": "]", "{": "}"}
#: Patterns over "context | problem", in libyaml's words or those of the pure Python reader; the first that fits tells.
_TELLERS: Final[tuple[tuple[str, Callable[[_Snag], _Told | None]], ...]] = (
    (r"tab|cannot start any token", _tab),
    (r"cannot start any token", _wrong_start),
    (r"mapping values are not allowed", _colon),
    (r"could not find expected ':'", _no_colon),
    (r"found unexpected ':'", _glued_colon),
    (r"flow (sequence|mapping) \|.*expected ',' or", _open_bracket),
    (r"quoted scalar \| found unexpected (end of stream|document)", _open_quote),
    (r"(did not find )?expected (the )?node content", _no_value),
    (r"block (mapping|collection) \|", _no_key),
    (r"block sequence entries are not allowed|sequence entries are not allowed", _item_in_line),
    (r"unknown escape", _unknown_escape),
    (r"while (scanning an alias|scanning an anchor|scanning a tag|parsing a tag)", _bare_sign),
    (r"expected '?<document start>", _after_document),
)


# --- the caret's line ---

#: How wide a shown line may be, and how much of it stays to the right of the caret when both sides are cut.
_ROOM: Final = 100
_ROOM_RIGHT: Final = 40
_TAB: Final = "    "


def _window(line: str, column: int, width: int) -> tuple[str, int, int]:
    """The part of a line around a column (from 0): its text, the caret's indentation, and how many carets fit."""
    column = min(column, len(line))
    # Looking no further than this keeps the work small on a line of megabytes.
    first, last = max(0, column - _ROOM), min(len(line), column + _ROOM)
    cells = [_cell(char) for char in line[first:last]]
    middle = column - first
    left = right = middle
    used = 0

    def grow(limit: int) -> None:
        nonlocal right, used
        while right < len(cells) and used + cells[right][1] <= limit:
            used += cells[right][1]
            right += 1

    grow(_ROOM_RIGHT)
    while left > 0 and used + cells[left - 1][1] <= _ROOM:
        left -= 1
        used += cells[left][1]
    grow(_ROOM)
    head = "…" if first + left > 0 else ""
    tail = "…" if first + right < len(line) else ""
    shown = head + "".join(text for text, _ in cells[left:right]) + tail
    indent = len(head) + sum(cell for _, cell in cells[left:middle])
    # One caret for one character, however wide: it points at where the character begins.
    carets = sum(cell for _, cell in cells[middle : min(right, middle + width)]) if width > 1 else 1
    return shown, indent, max(1, carets)


def _cell(char: str) -> tuple[str, int]:
    """How a character is shown and how many columns of a terminal it takes."""
    if char.isascii() and char.isprintable():
        return char, 1
    if char == "\t":
        return _TAB, len(_TAB)
    if not char.isprintable():
        shown = _escaped(char)
        return shown, len(shown)
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me"):
        return char, 0
    return char, 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _escaped(text: str) -> str:
    """Text that cannot move the cursor, ring a bell or hide itself in a terminal."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
