"""The kind `notify`: a message about the run, to webhooks and other services. Only hooks send messages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from dagrun.core.model import Action, ActionText, TemplateText
from dagrun.kinds.kind import Kind, PreparedBody, StartContext, located
from dagrun.value import Value

#: The variable by which a body gets the addresses, which may be secrets.
ADDRESSES = "DAGRUN_NOTIFY_URLS"


class NotifyAction(Value, Action):
    """Send a message to every one of these addresses. Without `title` and `body` it says how the run ended."""

    urls: tuple[str, ...]
    title: str | None = None
    body: str | None = None
    #: Where the addresses are written: at the key itself, in a list, or below `url`.
    shape: Literal["text", "list", "mapping"] = "text"
    kind: Literal["notify"] = "notify"

    def texts(self) -> Sequence[ActionText]:
        below = ("url",) if self.shape == "mapping" else ()
        many = self.shape == "list" or len(self.urls) > 1
        urls = [
            TemplateText(("notify", *below, *((i,) if many else ())), url, may_hold_secrets=True)
            for i, url in enumerate(self.urls)
        ]
        return (
            *urls,
            *(
                TemplateText(("notify", key), text)
                for key, text in (("title", self.title), ("body", self.body))
                if text is not None
            ),
        )


def _read(words: Mapping[str, Any]) -> NotifyAction:
    written = words["notify"]
    if isinstance(written, str):
        return NotifyAction((written,))
    if isinstance(written, list):
        return NotifyAction(tuple(written), shape="list")
    url = written.url
    urls = (url,) if isinstance(url, str) else tuple(url)
    return NotifyAction(urls, written.title, written.body, "mapping")


def _start(action: NotifyAction, context: StartContext) -> PreparedBody:
    from dagrun.core.work import Call

    with located("notify"):
        urls = [context.render_secret(url).strip() for url in action.urls]
        message = {
            key: context.render(text)
            for key, text in (("title", action.title), ("body", action.body))
            if text is not None
        }
        params = {"run": dict(context.summary()), **message}
    call = Call(ref="dagrun.notify", origin={"kind": "module", "target": "dagrun.notifications"})
    return PreparedBody(call, {ADDRESSES: json.dumps(urls)}, params)


KIND = Kind(
    name="notify",
    action=NotifyAction,
    keys=("notify",),
    read=_read,
    label=lambda action: f"notify: {len(action.urls)} {'address' if len(action.urls) == 1 else 'addresses'}",
    start=_start,
    is_for_tasks=False,
    meaningless=("params", "env", "dotenv", "working_dir"),
)
