"""The pages of the documentation: their code blocks, their tables, and those parts of them that code writes.

    .venv/bin/python -m tests.stories.pages

writes these parts anew; a test says when that is due.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagrun.core.model import Trigger
from dagrun.core.outcomes import EDGES, Outcome
from dagrun.documents.dialects.schema import dialects, schema

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
COOKBOOK = EXAMPLES / "cookbook"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted(EXAMPLES.rglob("README.md"))]

_BLOCK = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_WRITTEN = re.compile(
    r"(?P<head><!-- written by code: (?P<what>[^\n]+?) -->\n)(?P<text>.*?)(?P<tail><!-- end -->)", re.DOTALL
)


@dataclass(frozen=True)
class Block:
    """A code block of a page."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(language: str) -> Iterator[Block]:
    """Every code block of all pages in one language."""
    for page in PAGES:
        text = page.read_text()
        for match in _BLOCK.finditer(text):
            if match["language"] == language:
                yield Block(page, text.count("\n", 0, match.start()) + 2, language, match["text"])


def rows(page: Path) -> Iterator[list[str]]:
    """Every row of every table of a page."""
    for line in page.read_text().splitlines():
        if line.startswith("|") and not re.fullmatch(r"[|\s:-]+", line):
            yield [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


# --- what code writes -------------------------------------------------------------------------------------------


def truth_table() -> str:
    """What each trigger makes of each end of a dependency, from the table that dagrun itself goes by."""
    lines = [_row("trigger", *(f"dependency {end}" for end in Outcome)), _row(*["---"] * (len(Outcome) + 1))]
    lines += [_row(f"`{trigger}`", *(_cell(EDGES[trigger, end]) for end in Outcome)) for trigger in Trigger]
    return "\n".join(lines) + "\n"


def _cell(reason: str | None) -> str:
    return "can run" if reason is None else f"skipped: `{reason}`"


def keys(definition: str) -> str:
    """The keys of a node and what each is for, as the schema says it."""
    whole = schema("native")
    node = whole["definitions"][definition] if definition != "Document" else whole
    shared = whole["definitions"]["Defaults"]["properties"] if definition == "Task" else {}
    lines = [_row("key", "meaning", "value"), _row("---", "---", "---")]
    for key in sorted(node["properties"], key=shared.__contains__):  # what is the task's own comes first
        shape = node["properties"][key]
        lines.append(_row(f"`{key}`", shape["description"], _value(shape)))
    return "\n".join(lines) + "\n"


def own_keys(which: str) -> str:
    """Those keys of another dialect's node that the native one has not."""
    dialect, definition = which.split()
    whole, native = schema(dialect), schema("native")
    node = whole if definition == "Document" else whole["definitions"][definition]
    known = native if definition in ("Document", "Spec") else native["definitions"]["Task"]
    lines = [_row("key", "meaning", "value"), _row("---", "---", "---")]
    for key, shape in node["properties"].items():
        if key not in known["properties"]:
            lines.append(_row(f"`{key}`", shape["description"], _value(shape)))
    return "\n".join(lines) + "\n"


def words_of(dialect: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The keys of a dialect's documents, and of its tasks."""
    whole = schema(dialect)
    kinds = whole["definitions"]
    tops = [
        node.get("properties", {}) for node in (whole, whole.get("else", {}), kinds.get("Orchestration", {}))
    ]
    tops += [kinds.get(name, {}).get("properties", {}) for name in ("Spec", "Metadata")]
    (node,) = (kinds[name]["properties"] for name in ("Task", "Step", "Job") if name in kinds)
    return {key: shape for top in tops for key, shape in top.items()}, node


def alike() -> str:
    """The words that documents, and tasks, have in every dialect."""
    every = [words_of(each.name) for each in dialects()]
    lines = []
    for i, what in enumerate(("A document", "A task")):
        first, *others = (words[i] for words in every)
        same = [f"`{word}`" for word in first if all(word in other for other in others)]
        lines.append(f"- {what}: {', '.join(same)}.\n")
    return "".join(lines)


def words(dialect: str) -> str:
    """The words of a dialect's documents and of its tasks."""
    lines = []
    for what, found in zip(("A document", "A task"), words_of(dialect), strict=True):
        lines.append(f"- {what}: {', '.join(f'`{word}`' for word in found)}.\n")
    return "".join(lines)


def _value(shape: Mapping[str, Any]) -> str:
    """The values that are allowed, in short."""
    if "enum" in shape:
        default = shape.get("default")
        words = [f"**{word}**" if word == default else str(word) for word in shape["enum"]]
        return ", ".join(words)
    if "anyOf" in shape:
        return " or ".join(dict.fromkeys(_value(each) for each in shape["anyOf"]))
    if "allOf" in shape or "$ref" in shape:
        return "mapping"
    if "exclusiveMinimum" in shape or shape.get("type") == ["number", "string"]:
        return "duration"
    types = shape.get("type", "anything")
    return " or ".join(_TYPES.get(each, each) for each in ([types] if isinstance(types, str) else types))


_TYPES = {
    "string": "text", "integer": "whole number", "boolean": "true or false", "array": "list", "object": "mapping",
}  # fmt: skip


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def example(name: str) -> str:
    """A file of the cookbook as it is."""
    language = {".yaml": "yaml", ".py": "python"}[Path(name).suffix]
    return f"```{language}\n{(COOKBOOK / name).read_text()}```\n"


WRITERS: Mapping[str, Callable[..., str]] = {
    "truth table": truth_table,
    "keys of": keys,
    "own keys of": own_keys,
    "words alike": alike,
    "words of": words,
    "file": example,
}


def fresh(page: Path) -> str:
    """A page as it should be."""
    return _WRITTEN.sub(_rewritten, page.read_text())


def _rewritten(match: re.Match[str]) -> str:
    writer = next(name for name in WRITERS if match["what"].startswith(name))
    argument = match["what"].removeprefix(writer).strip()
    return match["head"] + WRITERS[writer](*[argument] if argument else []) + match["tail"]


if __name__ == "__main__":
    for each in PAGES:
        each.write_text(fresh(each))
