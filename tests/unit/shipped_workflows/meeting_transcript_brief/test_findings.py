"""All rules together, on one transcript."""

from __future__ import annotations

from dagrun.shipped_workflows.meeting_transcript_brief.findings import find
from tests.unit.shipped_workflows.meeting_transcript_brief.helpers import turns


def test_a_request_without_agreement_is_an_open_point_and_no_action_item() -> None:
    found = find(turns("Ana: Bo, could you draft the plan?", "Bo: I can't.", "Ana: Hm.", "Bo: Sorry."))
    assert found.actions == []
    assert [(question.kind, question.line) for question in found.questions] == [("request", 1)]


def test_work_that_somebody_takes_is_no_open_point() -> None:
    found = find(
        turns("Ana: Somebody should call the bank.", "Bo: I can take that.", "Ana: Good.", "Bo: Yes.")
    )
    assert [action.owner for action in found.actions] == ["Bo"]
    assert found.questions == []


def test_a_promise_to_find_out_is_settled_by_the_answer() -> None:
    found = find(
        turns(
            "Ana: How long is the cellar lease?",
            "Bo: No idea. I'll check that today.",
            "Ana: Next.",
            "Bo: Right, the cellar lease is long, ten years.",
        )
    )
    assert [action.settled_line for action in found.actions] == [4]
