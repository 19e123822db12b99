"""Python functions that some DAGs of the cookbook call."""

from pathlib import Path

from dagrun import Result, workflow


@workflow("count_words")
def count_words(text: str, **upstream: object) -> dict[str, int]:
    """Count the words of a text."""
    return {"words": len(text.split())}


@workflow("write_if_other")
def write_if_other(path: Path, text: str) -> Result:
    """Write a file, unless it already has this content."""
    changed = not path.exists() or path.read_text() != text
    if changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Result({"path": str(path)}, changed=changed)
