"""The hooks of the project: `[hooks]` of `dagrun.toml`, or `[tool.dagrun.hooks]` of `pyproject.toml`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagrun.core.hooks import SCHEDULER_KEYS
from dagrun.core.model import Dag, Hook
from dagrun.documents.dialects.dialect import ParsedDocument
from dagrun.documents.dialects.hooks import HookReader
from dagrun.documents.validation.check import check
from dagrun.documents.yaml import Finding, Place, Source
from dagrun.value import Value, replace

if TYPE_CHECKING:
    from dagrun.registry import Registry

#: The key with the names of secrets that the hooks read.
SECRETS = "secrets"


class ProjectHooks(Value):
    """The hooks, the secrets that they read, and what is wrong with them."""

    hooks: tuple[Hook, ...]
    secrets: tuple[str, ...]
    findings: tuple[Finding, ...]
    source: Source

    def added_to(self, dag: Dag) -> Dag:
        """A DAG with these hooks after its own."""
        secrets = tuple(dict.fromkeys((*dag.secrets, *self.secrets)))
        hooks = tuple(hook for hook in self.hooks if hook.on not in SCHEDULER_KEYS)
        return replace(dag, hooks=(*dag.hooks, *hooks), secrets=secrets)


class _TomlSource(Source):
    """The text of a TOML file. Places are those of the lines that have the keys."""

    def __init__(self, text: str, path: str, table: Mapping[str, Any]) -> None:
        super().__init__(text, path)
        self._table = table

    def place(self, path: tuple[str | int, ...], key: bool = False) -> Place:
        """The line with the last key of `path` that is found."""
        at = 0
        for part in path:
            name = re.escape(str(part))
            pattern = rf"^[ \t]*(?:\[+[^\]\n]*\b{name}\b[^\n]*|[^\n#]*?\b{name}\b[ \t\"']*[=.])"
            found = re.compile(pattern, re.MULTILINE).search(self.text, at)
            if found is not None and isinstance(part, str):
                at = self.text.index(str(part), found.start())
        return self.at(at)

    def place_within(self, path: tuple[str | int, ...], offset: int) -> Place:
        """The place of the key: where its text begins is not known."""
        return self.place(path)

    def written(self, path: tuple[str | int, ...]) -> str | None:
        """A value as text."""
        value: Any = {"hooks": self._table}
        for part in path:
            value = value[part]
        if isinstance(value, bool):
            return str(value).lower()
        return None if isinstance(value, dict | list) else str(value)


def read(table: Mapping[str, Any], path: Path, shown: str, registry: Registry | None) -> ProjectHooks:
    """The hooks of a table of the file `path`, which messages call `shown`. Without a registry workflows are not checked."""
    source = _TomlSource(path.read_text(encoding="utf-8"), shown, table)
    reader = HookReader(source, ("hooks",), of_project=True)
    written = dict(table)
    secrets = written.pop(SECRETS, [])
    if not isinstance(secrets, list) or not all(isinstance(name, str) for name in secrets):
        reader.error(("hooks", SECRETS), f"'{SECRETS}' must be a list of names", "invalid-value")
        secrets = []
    hooks = reader.read(written)
    # The parameters and tasks are those of the run.
    dag = Dag(name="project", tasks=(), hooks=hooks, secrets=tuple(secrets))
    parsed = ParsedDocument(
        dag, tuple(reader.findings), source, reader.locations, unread=frozenset({"params", "tasks"}),
        hook_locations=reader.locations,
    )  # fmt: skip
    return ProjectHooks(hooks, tuple(secrets), (*parsed.findings, *check(parsed, registry)), source)
