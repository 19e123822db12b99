"""The requests of one run: put by any process, taken in order by its owner."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from dagrun.core.requests import Request
from dagrun.errors import RecordError
from dagrun.storage.inbox import MAX_REQUEST_BYTES, Inbox


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path / "inbox")


def cancel(by: str) -> Request:
    return Request("cancel", by, {"reason": "enough"})


def test_an_inbox_that_nobody_wrote_to_is_empty(inbox: Inbox) -> None:
    assert list(inbox.take()) == []


def test_requests_are_taken_in_the_order_they_were_put(inbox: Inbox) -> None:
    for by in ("first", "second", "third"):
        inbox.put(cancel(by))
    assert list(inbox.take()) == [cancel("first"), cancel("second"), cancel("third")]
    assert list(inbox.take()) == []


def test_a_request_is_deleted_when_the_next_one_is_asked_for(inbox: Inbox) -> None:
    inbox.put(cancel("first"))
    inbox.put(cancel("second"))
    requests = inbox.take()
    next(requests)
    assert len(list(inbox.directory.iterdir())) == 2
    next(requests)
    assert len(list(inbox.directory.iterdir())) == 1


def test_a_request_whose_owner_died_before_it_was_recorded_is_taken_again(inbox: Inbox) -> None:
    inbox.put(cancel("me"))
    next(inbox.take())
    assert list(Inbox(inbox.directory).take()) == [cancel("me")]


def test_a_request_that_arrives_right_after_another_is_not_overlooked(inbox: Inbox) -> None:
    for number in range(20):  # faster than the file system's clock can tell apart
        inbox.put(cancel(str(number)))
        assert [request.by for request in inbox.take()] == [str(number)]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{",
        "[" * 100_000,
        json.dumps({"what": "dance", "by": "me", "facts": {}}),
        json.dumps({"what": "cancel", "by": "me"}),
        json.dumps({"what": "cancel", "by": "me", "facts": {}}) + " " * MAX_REQUEST_BYTES,
    ],
    ids=["empty", "a list", "torn", "nested", "another kind", "incomplete", "too large"],
)
def test_a_file_that_is_no_request_is_ignored_and_left(inbox: Inbox, content: str) -> None:
    inbox.put(cancel("me"))
    (inbox.directory / "0.json").write_text(content)
    assert list(inbox.take()) == [cancel("me")]
    assert [path.name for path in inbox.directory.iterdir()] == ["0.json"]


def test_a_pipe_does_not_block_the_owner(inbox: Inbox) -> None:
    inbox.put(cancel("me"))
    os.mkfifo(inbox.directory / "0.json")
    assert list(inbox.take()) == [cancel("me")]


def test_a_half_written_request_is_not_seen(inbox: Inbox) -> None:
    inbox.put(cancel("me"))
    (inbox.directory / ".1.json").write_text('{"what": "can')
    assert list(inbox.take()) == [cancel("me")]


def test_an_inbox_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "inbox").write_text("a file")
    with pytest.raises(RecordError, match=r"cannot write .*inbox"):
        Inbox(tmp_path / "inbox").put(cancel("me"))
