"""The kind `container`: commands as a shell task has them, or the image's own, in a container."""

from __future__ import annotations

from collections.abc import Mapping

from dagrun.core.model import ContainerAction, ShellAction
from dagrun.core.work import Command, Container
from dagrun.kinds import shell
from dagrun.kinds.kind import Evaluate, Kind
from dagrun.registry import Registry


def _body(
    action: ContainerAction, registry: Registry, evaluate: Evaluate
) -> tuple[Container, Mapping[str, str]]:
    command: Command | None = None
    variables: Mapping[str, str] = {}
    if action.commands:
        command, variables = shell.body(ShellAction(action.commands, action.shell), registry, evaluate)
    return Container(image=action.image, command=command, mount=action.mount, pull=action.pull), variables


KIND = Kind(name="container", label=lambda action: f"container: {action.image}", body=_body)
