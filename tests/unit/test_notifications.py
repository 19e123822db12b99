"""What a message says, and how addresses are shown without their secrets."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dagrun.kinds.notify import ADDRESSES
from dagrun.notifications import NotSentError, notify, shown

RUN: dict[str, Any] = {
    "run_id": "r", "dag_name": "d", "status": "failed", "reason": "TaskFailed", "failed_count": 21,
    "failed": [{"task_id": "a", "error": "exit code 1", "log_tail": "\n".join(map(str, range(9)))}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://user:secret@chat.example.com:8443/hooks/secret?key=secret", "https://chat.example.com"),
        ("mailto://user:secret@example.com", "mailto://"),
        ("slack://secret/secret", "slack://"),
        ("secret", "an address without a scheme"),
        ("http://[secret", "an address that is not valid"),
    ],
)
def test_an_address_is_shown_without_what_may_be_secret(url: str, expected: str) -> None:
    assert shown(url) == expected


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of modules that Apprise imports
def test_every_address_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ADDRESSES, json.dumps(["nowhere", "pigeon://x"]))
    with pytest.raises(NotSentError) as raised:
        notify(RUN)
    assert "an address without a scheme: write it with a scheme" in str(raised.value)
    assert "pigeon://: Apprise does not know such an address" in str(raised.value)
