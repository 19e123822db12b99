"""Data straight from YAML's events: quickly, or with where everything stood and all that is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import yaml
from yaml import events as ev

from dagrun.documents.yaml.scalars import MISFIT, NUMERIC, TAGS, WORDS, YAML_TAG, number, plain, tagged
from dagrun.documents.yaml.values import Finding, Limits, Place, brief
from dagrun.errors import nearest
from dagrun.gc_pause import resting

#: Where a value stands: index of its key (its own for list items), index of the value, and the value: text,
#: list of entries, or dict of entries.
Entry = tuple[int, int, Any]

#: Nobody reads more, and ten million duplicate keys should not cost gigabytes of findings.
_MOST_FINDINGS: Final = 100
#: Stands for a key in lists.
_ITEM: Final = object()
#: The key `<<` until its mapping ends.
_MERGE: Final = object()
#: Takes the value of a key that cannot be used.
_LOST: Final = object()


class Halt(Exception):
    """Ends a reading: what follows is not worth it."""


@dataclass(slots=True)
class _Anchor:
    """What an alias can refer to."""

    value: Any
    #: The text of a scalar, which may serve as a key.
    text: str | None = None
    #: How many nodes an alias adds, and how many levels. While a collection is open: the counts before it.
    nodes: int = 1
    height: int = 0
    open: bool = False


_NOTHING: Final = _Anchor(None, nodes=0)


class Builder:
    """Builds data without recursion, in one of two ways that share every step.

    Without `locate` the values are plain data and the first finding ends the build: quick, and enough for a document
    that is in order. With `locate` each value is an `Entry` whose scalars are texts as written, and findings are
    collected.
    """

    def __init__(self, limits: Limits, locate: Callable[[int], Place] | None = None) -> None:
        self.limits = limits
        self.locate = locate
        self.findings: list[Finding] = []
        self.anchors: dict[str, _Anchor] = {}
        #: The same few keys come thousands of times; one string each saves most of their memory.
        self.known_keys: dict[str, str] = {}
        #: Whether there is a number that would be written in another way than it was.
        self.changes_numbers = False
        #: Holds the document's root once there is one.
        self.top: list[Any] = []

    def build(self, text: str) -> Any:
        """The document's root; Halt if reading on is not worth it, and whatever the YAML reader raises."""
        # Events are flat: nesting costs libyaml no stack, unlike its nodes.
        loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
        # Hundreds of thousands of new containers would wake the collector again and again, to find nothing.
        with resting():
            self._build(loader(text).get_event)
        return self.top[0] if self.top else None

    def _build(self, pull: Callable[[], Any]) -> None:
        """Fills `top`.

        One long loop on purpose: it runs once per event, and calls would cost more than the work. `current` is the
        collection being filled and `key` what its next value goes to: a key, `_ITEM` in a list, or None where a
        mapping waits for a key.
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
                nodes += 1
                text = event.value
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
                    self.anchors[event.anchor] = _Anchor(text if marked else value, text)

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
                    message = f"aliases add more than the {most_extra:,} values allowed"
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
                    message = "a second document starts here; a file holds one"
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

        # A document of comments only is an empty scalar; `null` and `""` are written, and say something.
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
        """Notes a finding; the quick build ends at once, since it knows no places."""
        if self.locate is None:
            raise Halt
        self.findings.append(Finding(self.locate(index), message, code, suggestion))
        if len(self.findings) == _MOST_FINDINGS:
            raise Halt

    def _halt(self, event: Any, code: str, message: str, suggestion: str = "") -> NoReturn:
        self._report(event, code, message, suggestion)
        raise Halt

    def _too_deep(self, event: Any) -> NoReturn:
        message = f"lists and mappings are nested more than {self.limits.depth} levels deep"
        self._halt(event, "too-deep", message)

    # --- keys ---

    def _key(self, event: Any) -> object:
        """A key that is new, or has an anchor or a tag, or is one of the words that mean something."""
        text = value = event.value
        if event.tag is not None:
            value = self._tagged(event)
        elif not event.style:
            if text == "<<":
                return _MERGE
            value = plain(text)
        if event.anchor is not None:
            self.anchors[event.anchor] = _Anchor(text if self.locate else value, text)
        if value is None:
            self._report(event, "null-key", "a key is missing before ':'", "write the key in quotes")
            return _LOST
        if (
            text != "<<" and WORDS.get(text, text) is not None
        ):  # what is odd when plain is looked at each time
            self.known_keys[text] = text
        return text

    def _alias_key(self, event: Any, anchor: _Anchor) -> object:
        if anchor.text is not None:
            return anchor.text
        if anchor is not _NOTHING:
            self._report(event, "complex-key", _COMPLEX_KEY)
        return _LOST

    def _duplicate(self, event: Any, key: object, current: dict[object, Any]) -> object:
        """Reports a key that stands in its mapping already; the first one keeps its value."""
        if key is _LOST:
            return _LOST
        if self.locate is None:
            raise Halt
        name = "<<" if key is _MERGE else brief(str(key))
        first = self.locate(current[key][0]).line
        self._report(event, "duplicate-key", f"key '{name}' is written twice, first in line {first}")
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
        tag = event.tag.replace(YAML_TAG, "!!", 1)
        if event.tag in TAGS:
            self._report(event, "tag-mismatch", f"{what} does not fit its tag {tag}")
        else:
            help_ = "leave the tag out, or put the text in quotes"
            self._report(event, "unknown-tag", f"tag {tag} is not allowed", help_)

    def _anchor_of(self, event: Any) -> _Anchor:
        name = event.anchor
        anchor = self.anchors.get(name)
        if anchor is None:
            near = nearest(name, self.anchors)
            help_ = f"did you mean '*{near}'?" if near else f"put '&{name}' before the value it should repeat"
            message = f"alias '*{name}' has no anchor '&{name}' before it"
            self._report(event, "undefined-alias", message, help_)
            return _NOTHING
        if anchor.open:
            self._report(event, "recursive-alias", f"alias '*{name}' stands inside its own anchor")
            return _NOTHING
        return anchor

    def _merge(self, current: dict[object, Any]) -> None:
        """Takes in what stands under `<<`: keys of its own win, then those of the first mapping listed."""
        entry = current.pop(_MERGE)
        listed = entry[2] if self.locate else entry
        merged: dict[object, Any] = {}
        for source in reversed(listed if isinstance(listed, list) else [entry]):
            mapping = source[2] if self.locate else source
            if isinstance(mapping, dict):
                merged.update(mapping)
            elif mapping is not None or not self.locate:  # None: an alias that was reported
                at = source[1] if self.locate else 0
                self._report_at(at, "merge", "'<<' takes a mapping or a list of mappings")
        # In place, for the collection above holds this very dict already.
        merged.update(current)
        current.clear()
        current.update(merged)


_COMPLEX_KEY: Final = "a key must be text, not a list or a mapping"
_QUOTE_BRACES: Final = "put text that starts with '{' or '[' in quotes"
