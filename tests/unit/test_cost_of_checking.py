"""Small documents that once took a minute to check: findings are limited, and the cost is proportional to the text."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from tests.unit.harness import reported

pytestmark = pytest.mark.slow


def axes(size: int) -> str:
    """Two axes of a matrix, each with this number of values."""
    first, second = (", ".join(f"{letter}{i}" for i in range(size)) for letter in "vw")
    return f"      a: [{first}]\n      b: [{second}]\n"


MATRIX = axes(300)
TASK = "name: d\ntasks:\n  - id: t\n    run: 'true'\n"


def entries(word: str, texts: list[str]) -> str:
    return (
        TASK
        + "    matrix:\n"
        + MATRIX
        + f"      {word}:\n"
        + "".join(f"        - {text}\n" for text in texts)
    )


def chain(numbers: Sequence[int], distance: int) -> str:
    """Tasks that each depend on the one before, and read the status of one that is further away."""
    lines = ["name: d", "tasks:"]
    for i in numbers:
        script = f"echo ${{{{ tasks.t{i + distance}.status }}}}" if i + distance in numbers else "x"
        needs = f"t{i - 1}" if i else ""
        lines.append(f"  - {{id: t{i}, run: '{script}', depends_on: [{needs}]}}")
    return "\n".join(lines) + "\n"


DOCUMENTS: dict[str, tuple[str, str]] = {
    "10,000 excludes": (
        entries("exclude", [f"{{a: v{i % 300}, b: w{i // 300}}}" for i in range(10_000)]),
        "",
    ),
    "10,000 includes that add a key": (
        entries("include", [f"{{a: v{i % 300}, b: w{i // 300}, c: x}}" for i in range(10_000)]),
        "",
    ),
    "10,000 includes that add a variant": (entries("include", [f"{{a: n{i}}}" for i in range(10_000)]), ""),
    "10,000 includes for every variant": (entries("include", [f"{{c: x{i}}}" for i in range(10_000)]), ""),
    "1,000 keys for every variant": (
        entries("include", [f"{{c{i}: x}}" for i in range(1_000)]),
        "are more than dagrun expands (5,000,000)",
    ),
    "twenty large matrices": (
        "name: d\ntasks:\n"
        + "".join(f"  - id: t{i}\n    run: 'true'\n    matrix:\n{MATRIX}" for i in range(20)),
        "with this matrix the document has more than 250,000 variants",
    ),
    "20,000 dependencies on nothing": (
        TASK + f"    depends_on: [{', '.join(f'nothing{i}' for i in range(20_000))}]\n",
        "there are more errors like the 200 above; correct those first",
    ),
    "5,000 tasks that each name another wrongly": (
        "name: d\ntasks:\n"
        + "".join(f"  - {{id: task{i}, run: x, depends_on: [tsak{i}]}}\n" for i in range(5_000)),
        "there are more errors like the 200 above; correct those first",
    ),
    "250 variants that do not exist": (
        TASK
        + "    matrix:\n"
        + axes(100)
        + "  - id: u\n    run: x\n    depends_on:\n"
        + "".join(f"      - t[a=v{i},b=x]\n" for i in range(250)),
        "there are more errors like the 200 above; correct those first",
    ),
    "5,000 tasks that each ask for one that comes later": (
        chain(range(5_000), 1),
        "there are more errors like the 200 above; correct those first",
    ),
    "5,000 tasks that each ask for one far above": (chain(range(5_000), -2_000), ""),
}


@pytest.mark.parametrize(("document", "expected"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_small_document_is_checked_in_seconds(document: str, expected: str) -> None:
    started = time.process_time()
    findings = reported(document)
    assert time.process_time() - started < 30  # a second or two here; minutes, before
    assert expected in findings
    assert bool(findings) == bool(expected)
