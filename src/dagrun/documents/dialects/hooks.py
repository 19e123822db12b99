"""Hooks, which all dialects and `dagrun.toml` write in the same way: reading them into values of the core."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from dagrun import kinds
from dagrun.core import hooks
from dagrun.core.model import Hook, Task
from dagrun.documents.dialects import fields
from dagrun.documents.dialects.dialect import Path
from dagrun.documents.dialects.hook_models import (
    HookModel,
    HooksModel,
    ProjectHooksModel,
    with_hook_kinds,
)
from dagrun.documents.dialects.locations import DialectKeys, Node
from dagrun.documents.dialects.reader import NOTHING, DocumentReader
from dagrun.documents.yaml import Source

_KEYS = DialectKeys(noun="hook", id=None, needs=(), entry="", trigger="trigger", params="params", later={})
#: Advice for keys of tasks that hooks do not have.
_OF_TASKS: Mapping[str, str] = {
    **dict.fromkeys(("retries", "retry"), "a hook runs once; let its script try again"),
    **dict.fromkeys(("if", "unless", "trigger"), "the key above says when it runs"),
    **dict.fromkeys(("approval", "wait", "dag"), "a hook cannot wait: use a task"),
    **dict.fromkeys(("depends_on", "needs", "requires"), "hooks run one after the other, in their order"),
}


class HookReader(DocumentReader):
    """Reads the value of `hooks` at `path` of a document."""

    def __init__(self, source: Source, path: Path, *, of_project: bool = False) -> None:
        model = with_hook_kinds(HookModel)
        super().__init__(source, _KEYS, model)
        self._path = path
        self._model = model
        self._of_project = of_project
        self._choice = kinds.hook_keys()

    def read(self, written: Any) -> tuple[Hook, ...]:
        """All hooks that could be read; `findings` has the errors, `locations` where each of them is."""
        if not isinstance(written, dict):
            message = "'hooks' must be a mapping"
            self.error(
                self._path, message, "invalid-value", suggestion=f"its keys are {', '.join(hooks.KEYS)}"
            )
            return ()
        self.document(
            ProjectHooksModel if self._of_project else HooksModel,
            written,
            self._path,
            dict.fromkeys(kinds.hook_keys(), "write it below on_failure or another key"),
        )
        read = []
        nodes: list[Node] = []
        known = (*hooks.KEYS, *(hooks.SCHEDULER_KEYS if self._of_project else ()))
        for key in (key for key in written if key in known):
            for name, path, node in self._nodes(key, written[key]):
                hook = self._hook(key, name, path, node, len(nodes))
                if hook is not None:
                    nodes.append((path, node))
                    read.append(hook)
        return tuple(read)

    def _nodes(self, key: str, written: Any) -> list[tuple[str, Path, Any]]:
        """The hooks of one key: the name, the path and the node of each."""
        prefix = "project." if self._of_project else ""
        path = (*self._path, key)
        if not isinstance(written, list):
            return [(f"{prefix}{key}", path, written)]
        if not written:
            self.error(path, f"'{key}' has no hook", "invalid-value", suggestion="remove it")
        return [
            (f"{prefix}{key}" if i == 0 else f"{prefix}{key}.{i + 1}", (*path, i), node)
            for i, node in enumerate(written)
        ]

    def _hook(self, key: str, name: str, path: Path, node: Any, number: int) -> Hook | None:
        if not isinstance(node, dict):
            hint = f"write `run: {node}`" if isinstance(node, str) and "\n" not in node else ""
            self.error(path, "a hook must be a mapping with an action", "invalid-value", suggestion=hint)
            return None
        try:
            model = self._model.model_validate(node)
        except ValidationError as error:
            self.report(fields.findings(error, self.source, path, self._model, {}, _OF_TASKS))
            return None
        before = len(self.findings)
        actions = self._actions(node, path)
        if len(actions) == 1:
            self._meaningless(node, path, actions[0])
        self._misplaced(node, path, actions)
        if len(self.findings) > before:
            return None
        self.locations.nodes = [*self.locations.nodes, (path, node)]
        task = Task(
            id=hooks.id_of(name),
            action=kinds.read_action(vars(model)),
            description=model.description,
            params=model.params or NOTHING,
            env=self.env(model.env, lambda variable: self.locations.variable(number, variable))
            if model.env
            else NOTHING,
            dotenv=tuple(model.dotenv or ()),
            timeout=model.timeout,
            working_dir=model.working_dir,
        )
        return Hook(on=key, task=task, of_project=self._of_project)
