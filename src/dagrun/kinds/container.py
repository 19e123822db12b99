"""The kind `container`: a shell task's commands, or the image's own command, in a container."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from dagrun.core.model import Action, ActionText, ScriptText, TemplateText
from dagrun.kinds import shell
from dagrun.kinds.kind import Kind, PreparedBody, StartContext, located
from dagrun.value import Value


class ContainerAction(Value, Action):
    """Run `commands` as a shell task does, in a container of `image`; without commands the image's own command runs."""

    image: str
    commands: tuple[str, ...] = ()
    shell: str = "sh"
    #: `source:target` of what the container sees of this machine.
    mount: tuple[str, ...] = ()
    pull: Literal["missing", "always", "never"] = "missing"
    kind: Literal["container"] = "container"

    def texts(self) -> Sequence[ActionText]:
        image = TemplateText(("image",), self.image)
        return (image, ScriptText(self.commands, self.shell)) if self.commands else (image,)


def _read(words: Mapping[str, Any]) -> ContainerAction:
    commands, shell_ = shell.words_of_script(words)
    return ContainerAction(
        words["image"], commands, shell_, tuple(words.get("mount") or ()), words.get("pull") or "missing"
    )


def _start(action: ContainerAction, context: StartContext) -> PreparedBody:
    from dagrun.core.work import Container
    from dagrun.kinds import script

    with located("image"):
        image = context.render(action.image)
    if not action.commands:
        return PreparedBody(Container(image=image, command=None, mount=action.mount, pull=action.pull))
    command, variables = script.command(ScriptText(action.commands, action.shell), context)
    return PreparedBody(
        Container(image=image, command=command, mount=action.mount, pull=action.pull), variables
    )


KIND = Kind(
    name="container",
    action=ContainerAction,
    keys=("image",),
    read=_read,
    label=lambda action: f"container: {action.image}",
    start=_start,
    params_in_environment=True,
)
