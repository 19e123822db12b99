"""Damaged documents: those of the examples, changed in a few places at random."""

from __future__ import annotations

import random
import re
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from dagrun.app.documents import Documents
from dagrun.documents.yaml import render
from dagrun.registry import Registry
from dagrun.settings import Settings
from dagrun.views.plan import dry_run

ROOT = Path(__file__).parents[2]
MAX_SECONDS = 20  # of processor time for one document

#: What is put in the place of a value or a key.
ODD = [
    "", "~", "null", "true", "no", "0", "-1", "1e9", "3.10", ".inf", ".nan", "0644", "2026-01-01", "[]", "{}", "[[]]", "{a: b}",
    "[a, a]", "*a", "&a x", "!!str 5", "!!python/object:os.system x", "'", '"', "|", ">", "- x", "? x", "%", "@", "`", "\t",
    "${{", "${{ }}", "${{ params.x }}", "${{ tasks.a.outputs.b }}", "${{ secrets.X }}", "${{ env['A' + 'B'] }}", "${{ matrix.os }}",
    "${{ item }}", "${{ " + "(" * 60 + " }}", "$${{", "a" * 200, "ä", "\u202e", "\ud7ff", "\x1b[31m", "x" * 5_000, "../../etc",
    "tasks", "steps", "jobs", "run", "id", "name", "matrix", "for_each", "depends_on", "retries", "retry", "if", "env", "shell",
    "failure()", "always() && x", "stop_all", "continue", "success", "*/5 * * * *", "10m", "-5s", "1h30m", "python3 -c", "bash",
]  # fmt: skip


def documents() -> list[str]:
    """Every document of the project, as text."""
    paths = [*ROOT.glob("configs/**/*.y*ml"), *ROOT.glob("examples/**/*.y*ml")]
    return [path.read_text(encoding="utf-8") for path in sorted(paths)]


def mutated(text: str, chance: random.Random) -> str:
    """The text with one to four changes."""
    for _ in range(chance.randint(1, 4)):
        text = chance.choice(CHANGES)(text, chance)
    return text


def _line(change: Callable[[list[str], int, random.Random], None]) -> Callable[[str, random.Random], str]:
    def changed(text: str, chance: random.Random) -> str:
        lines = text.split("\n")
        change(lines, chance.randrange(len(lines)), chance)
        return "\n".join(lines)

    return changed


def _delete(lines: list[str], at: int, chance: random.Random) -> None:
    del lines[at : at + chance.randint(1, 3)]
    lines.append("")


def _repeat(lines: list[str], at: int, chance: random.Random) -> None:
    lines[at:at] = lines[at : at + chance.randint(1, 5)] * chance.randint(1, 3)


def _move(lines: list[str], at: int, chance: random.Random) -> None:
    lines.insert(chance.randrange(len(lines)), lines.pop(at))


def _indent(lines: list[str], at: int, chance: random.Random) -> None:
    lines[at] = " " * chance.randint(1, 4) + lines[at] if chance.random() < 0.5 else lines[at].lstrip(" ")


def _value(lines: list[str], at: int, chance: random.Random) -> None:
    key, colon, _ = lines[at].partition(":")
    lines[at] = f"{key}{colon} {chance.choice(ODD)}"


def _key(lines: list[str], at: int, chance: random.Random) -> None:
    lines[at] = re.sub(r"[A-Za-z_]+:", lambda _: f"{chance.choice(ODD)}:", lines[at], count=1)


def _add(lines: list[str], at: int, chance: random.Random) -> None:
    indent = re.match(" *", lines[at])
    lines.insert(at, f"{indent[0] if indent else ''}{chance.choice(ODD)}: {chance.choice(ODD)}")


def _cut(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text) + 1)
    return text[:at] + text[at + chance.randint(1, 30) :]


def _insert(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text) + 1)
    return text[:at] + chance.choice(ODD) + text[at:]


def _end(text: str, chance: random.Random) -> str:
    return text[: chance.randrange(len(text) + 1)]


CHANGES: Sequence[Callable[[str, random.Random], str]] = [
    *map(_line, (_delete, _repeat, _move, _indent, _value, _value, _key, _add)), _cut, _insert, _end,
]  # fmt: skip


def problems(directory: Path, seed: int, count: int) -> list[str]:
    """What went wrong with `count` mutated documents: an exception, a long time, an error without a place."""
    chance = random.Random(seed)
    texts = documents()
    found = []
    checker = Documents(Settings(root=directory), lambda: Registry({}))
    path = directory / "dag.yaml"
    for number in range(count):
        text = mutated(chance.choice(texts), chance)
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        started = time.process_time()
        try:
            report = checker.report(path, "dag.yaml")
            for finding in report.findings:
                assert render(finding, report.source).startswith("dag.yaml:"), f"no place: {finding.message}"
            assert (report.graph is None) == bool(report.errors), "no graph, and no error that says why"
            if report.graph is not None:
                dry_run(report.graph)
        except Exception:
            found.append(f"document {number} of seed {seed}: {traceback.format_exc()}\n{text}")
        if (seconds := time.process_time() - started) > MAX_SECONDS:
            found.append(f"document {number} of seed {seed} took {seconds:.0f} s\n{text}")
    return found
