"""Data from the events of a YAML reader: quickly, or with the places of all values and all findings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NoReturn

import msgspec
import yaml
from yaml import events as ev

from dagrun.documents.yaml.scalars import MISFIT, NUMERIC, TAGS, WORDS, YAML_TAG, number, plain, tagged
from dagrun.documents.yaml.values import Finding, Limits, Place, brief
from dagrun.errors import nearest
from dagrun.process.gc_pause import resting

#: A value and its place: the index of its key (its own for list items), the index of the value, and the value: text,
#: list of entries, or dict of entries.
Entry = tuple[int, int, Any]

#: Nobody reads more, and ten million duplicate keys must not cost gigabytes of findings.
_MAX_FINDINGS: Final = 100
#: A text counts as one more node for each of so many characters: an alias shares it in memory, but what is recorded of a
#: run contains it each time.
TEXT_PER_NODE: Final = 256
#: Replaces the key in lists.
_ITEM: Final = object()
#: The key `<<` until its mapping ends.
_MERGE: Final = object()
#: Receives the value of a key that cannot be used.
_LOST: Final = object()


class Halt(Exception):
    """Ends a reading early."""


class _Anchor(msgspec.Struct):
    """A value that aliases can refer to."""

    value: Any
    #: The text of a scalar, which may also be a key.
    text: str | None = None
    #: How many nodes and levels an alias adds. While a collection is open: the counts before it.
    nodes: int = 1
    height: int = 0
    open: bool = False


_NOTHING: Final = _Anchor(None, nodes=0)


class Builder:
    """Builds data without recursion, in one of two ways that share every step.

    Without `locate` the values are plain data and the first finding ends the build: quick, and enough for a correct
    document. With `locate` each value is an `Entry` whose scalars are texts as written, and findings are collected.
    """

    def __init__(self, limits: Limits, locate: Callable[[int], Place] | None = None) -> None:
        self.limits = limits
        self.locate = locate
        self.findings: list[Finding] = []
        self.anchors: dict[str, _Anchor] = {}
        #: The same few keys occur thousands of times; sharing one string for each saves most of their memory.
        self.known_keys: dict[str, str] = {}
        #: Whether there is a number whose text differs from the one in the document.
        self.changes_numbers = False
        #: Contains the root of the document once it is read.
        self.top: list[Any] = []

    def build(self, text: str) -> Any:
        """The root of the document. Raises Halt, and the errors of the YAML reader."""
        # Events are flat: unlike nodes, nested events need no stack in libyaml.
        loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
        # Hundreds of thousands of new containers would start the garbage collector again and again, for nothing.
        with resting():
            self._build(loader(text).get_event)
        return self.top[0] if self.top else None

    def _build(self, pull: Callable[[], Any]) -> None:
        """Fills `top`.

        One long loop on purpose: it runs once per event, and calls would cost more than the work. `current` is the
        collection being filled. `key` says where its next value belongs: a key, `_ITEM` in a list, or None in a mapping
        that expects a key.
        """
        marked = self.locate is not None
        scalar, mapping, sequence = ev.ScalarEvent, ev.MappingStartEvent, ev.SequenceStartEvent
        mapping_end, sequence_end, alias = ev.MappingEndEvent, ev.SequenceEndEvent, ev.AliasEvent
        known_key = self.known_keys.get
        most_deep, most_extra = self.limits.depth, self.limits.extra_nodes
        current: Any = self.top
        key: Any = _ITEM
        key_at = 0
        text = ""
        value: Any = None
        stack: list[tuple[Any, Any]] = []
        opened: list[_Anchor] = []
        nodes = extra = deepest = documents = 0

        while True:
            event = pull()
            kind = type(event)

            if kind is scalar:
                text = event.value
                nodes += 1 if len(text) < TEXT_PER_NODE else 1 + len(text) // TEXT_PER_NODE
                if key is None:
                    key = known_key(text)
                    if key is None or event.tag is not None or event.anchor is not None:
                        key = self._key(event)
                    if key in current:
                        key = self._duplicate(event, key, current)
                    if marked:
                        key_at = event.start_mark.index
                    continue
                if event.tag is not None:
                    value = self._tagged(event)
                elif event.style:
                    value = text
                elif text in WORDS:
                    value = WORDS[text]
                else:
                    value = self._number(text) if text[:1] in NUMERIC else text
                if event.anchor is not None:
                    size = 1 + len(text) // TEXT_PER_NODE
                    self.anchors[event.anchor] = _Anchor(text if marked else value, text, size)

            elif kind is mapping or kind is sequence:
                value = {} if kind is mapping else []
                depth = len(stack) + 1
                if depth > most_deep:
                    self._too_deep(event)
                if key is None:
                    self._report(event, "complex-key", _COMPLEX_KEY, _QUOTE_BRACES)
                if event.tag is not None:
                    self._check_collection_tag(event, value)
                if event.anchor is not None:
                    anchor = self.anchors[event.anchor] = _Anchor(value, None, nodes, deepest, open=True)
                    opened.append(anchor)
                    deepest = depth
                elif depth > deepest:
                    deepest = depth
                nodes += 1

            elif kind is mapping_end or kind is sequence_end:
                if kind is mapping_end and _MERGE in current:
                    self._merge(current)
                if opened and opened[-1].value is current:
                    anchor = opened.pop()
                    deepest_before = anchor.height
                    anchor.nodes = nodes - anchor.nodes
                    anchor.height = deepest - len(stack) + 1
                    anchor.open = False
                    deepest = max(deepest, deepest_before)
                current, key = stack.pop()
                continue

            elif kind is alias:
                anchor = self._anchor_of(event)
                # Counted before anything grows: a list of aliases to lists of aliases doubles at every level.
                nodes += anchor.nodes
                extra += anchor.nodes
                if extra > most_extra:
                    message = f"aliases add more than the allowed {most_extra:,} values"
                    self._halt(event, "too-many-nodes", message)
                deepest = max(deepest, len(stack) + anchor.height)
                if deepest > most_deep:
                    self._too_deep(event)
                if key is None:
                    key = self._alias_key(event, anchor)
                    if key in current:
                        key = self._duplicate(event, key, current)
                    key_at = event.start_mark.index
                    continue
                value = anchor.value

            elif kind is ev.DocumentStartEvent:
                documents += 1
                if documents > 1:
                    message = "a second document starts here; a file contains one"
                    self._halt(event, "many-documents", message, "move it to a file of its own")
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

        # A document that contains only comments is an empty scalar; a written `null` or `""` is not empty.
        if nodes < 2 and value is None and not text and not self.findings:
            self._report_at(0, "empty", "the file is empty")

    def _number(self, text: str) -> int | float | str:
        value = number(text)
        self.changes_numbers = self.changes_numbers or (value is not text and repr(value) != text)
        return value

    # --- findings ---

    def _report(self, event: Any, code: str, message: str, suggestion: str = "") -> None:
        self._report_at(event.start_mark.index, code, message, suggestion)

    def _report_at(self, index: int, code: str, message: str, suggestion: str = "") -> None:
        """Record a finding. The quick build ends at once, because it knows no places."""
        if self.locate is None:
            raise Halt
        self.findings.append(Finding(self.locate(index), message, code, suggestion))
        if len(self.findings) == _MAX_FINDINGS:
            raise Halt

    def _halt(self, event: Any, code: str, message: str, suggestion: str = "") -> NoReturn:
        self._report(event, code, message, suggestion)
        raise Halt

    def _too_deep(self, event: Any) -> NoReturn:
        message = f"lists and mappings are nested more than {self.limits.depth} levels deep"
        self._halt(event, "too-deep", message)

    # --- keys ---

    def _key(self, event: Any) -> object:
        """A key that is new, or has an anchor or a tag, or looks like another type."""
        text = value = event.value
        if event.tag is not None:
            value = self._tagged(event)
        elif not event.style:
            if text == "<<":
                return _MERGE
            value = plain(text)
        if event.anchor is not None:
            size = 1 + len(text) // TEXT_PER_NODE
            self.anchors[event.anchor] = _Anchor(text if self.locate else value, text, size)
        if value is None:
            self._report(event, "null-key", "a key is missing before ':'", "write a key, in quotes if needed")
            return _LOST
        if text != "<<" and WORDS.get(text, text) is not None:  # unusual keys are checked each time
            self.known_keys[text] = text
        return text

    def _alias_key(self, event: Any, anchor: _Anchor) -> object:
        if anchor.text is not None:
            return anchor.text
        if anchor is not _NOTHING:
            self._report(event, "complex-key", _COMPLEX_KEY)
        return _LOST

    def _duplicate(self, event: Any, key: object, current: dict[object, Any]) -> object:
        """Report a key that its mapping has already; the first one keeps its value."""
        if key is _LOST:
            return _LOST
        if self.locate is None:
            raise Halt
        name = "<<" if key is _MERGE else brief(str(key))
        first = self.locate(current[key][0]).line
        self._report(event, "duplicate-key", f"key '{name}' is written twice, first on line {first}")
        return _LOST

    # --- tags, aliases, merges ---

    def _tagged(self, event: Any) -> Any:
        value = tagged(event.value, event.tag)
        if value is not MISFIT:
            return value
        self._report_tag(event, f"'{brief(event.value)}'")
        return event.value

    def _check_collection_tag(self, event: Any, value: Any) -> None:
        if event.tag != "!" and TAGS.get(event.tag) is not type(value):
            self._report_tag(event, "a list" if isinstance(value, list) else "a mapping")

    def _report_tag(self, event: Any, what: str) -> None:
        tag = brief(event.tag.replace(YAML_TAG, "!!", 1))
        if event.tag in TAGS:
            self._report(event, "tag-mismatch", f"{what} does not fit its tag {tag}")
        else:
            help_ = "remove the tag, or put the text in quotes"
            self._report(event, "unknown-tag", f"tag {tag} is not allowed", help_)

    def _anchor_of(self, event: Any) -> _Anchor:
        name = event.anchor
        shown = brief(name)
        anchor = self.anchors.get(name)
        if anchor is None:
            near = nearest(name, self.anchors)
            help_ = f"did you mean '*{near}'?" if near else f"write '&{shown}' before the value to repeat"
            message = f"alias '*{shown}' has no anchor '&{shown}' before it"
            self._report(event, "undefined-alias", message, help_)
            return _NOTHING
        if anchor.open:
            self._report(event, "recursive-alias", f"alias '*{shown}' is inside its own anchor")
            return _NOTHING
        return anchor

    def _merge(self, current: dict[object, Any]) -> None:
        """Merge the mappings under `<<`: the own keys win, then those of the first mapping in the list."""
        entry = current.pop(_MERGE)
        listed = entry[2] if self.locate else entry
        merged: dict[object, Any] = {}
        for source in reversed(listed if isinstance(listed, list) else [entry]):
            mapping = source[2] if self.locate else source
            if isinstance(mapping, dict):
                merged.update(mapping)
            elif mapping is not None or not self.locate:  # None: an alias with an error of its own
                at = source[1] if self.locate else 0
                self._report_at(at, "merge", "'<<' takes a mapping or a list of mappings")
        # In place, because the parent collection already contains this dict.
        merged.update(current)
        current.clear()
        current.update(merged)


_COMPLEX_KEY: Final = "a key must be text, not a list or a mapping"
_QUOTE_BRACES: Final = "put text that starts with '{' or '[' in quotes"
