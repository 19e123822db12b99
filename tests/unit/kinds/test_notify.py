"""Messages: what a hook may write, and what reaches the body."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dagrun.core.model import TemplateText
from dagrun.core.work import Call
from dagrun.kinds.notify import ADDRESSES, NotifyAction
from tests.unit.harness import read, reported
from tests.unit.kinds.harness import body


def action(notify: str) -> NotifyAction:
    dag = read(f"tasks: [{{id: a, run: x}}]\nhooks: {{on_exit: {{notify: {notify}}}}}")
    found = dag.hooks[0].task.action
    assert isinstance(found, NotifyAction)
    return found


@pytest.mark.parametrize(
    ("notify", "urls", "title"),
    [
        ("https://a", ("https://a",), None),
        ("[https://a, mailto://b]", ("https://a", "mailto://b"), None),
        ("{url: https://a, title: T, body: B}", ("https://a",), "T"),
        ("{url: [https://a, https://b], title: T}", ("https://a", "https://b"), "T"),
    ],
)
def test_one_address_several_or_a_message(notify: str, urls: tuple[str, ...], title: str | None) -> None:
    found = action(notify)
    assert (found.urls, found.title) == (urls, title)


@pytest.mark.parametrize(
    ("notify", "paths"),
    [
        ("https://a", [("notify",)]),
        ("[https://a]", [("notify", 0)]),
        ("{url: https://a}", [("notify", "url")]),
        ("{url: [https://a, https://b]}", [("notify", "url", 0), ("notify", "url", 1)]),
    ],
)
def test_each_address_knows_where_it_is_written_and_may_hold_secrets(notify: str, paths: list[Any]) -> None:
    texts = [text for text in action(notify).texts() if isinstance(text, TemplateText)]
    assert [text.path for text in texts] == paths
    assert all(text.may_hold_secrets for text in texts)


def test_addresses_reach_the_body_by_its_environment_and_the_rest_by_parameters() -> None:
    prepared = body(NotifyAction(("https://a/${{ secrets.X }}",), title="T ${{ run.id }}"), lambda _: "v")
    assert prepared.body == Call(
        ref="dagrun.notify", origin={"kind": "module", "target": "dagrun.notifications"}
    )
    assert json.loads(prepared.variables[ADDRESSES]) == ["https://a/v"]
    assert prepared.params == {"run": {}, "title": "T v"}


def test_a_task_cannot_send_messages() -> None:
    assert "only hooks send messages" in reported("tasks: [{id: a, notify: https://x}]")


def test_only_the_address_may_hold_a_secret() -> None:
    head = (
        "secrets: [S]\ntasks: [{id: a, run: x}]\nhooks: {on_exit: {notify: {url: 'https://${{ secrets.S }}'"
    )
    assert reported(f"{head}}}}}}}") == ""
    assert "'secrets' can be read only in 'env'" in reported(f"{head}, title: '${{{{ secrets.S }}}}'}}}}}}")
