"""What can be asked about runs that were: which tasks and variants they have."""

from __future__ import annotations

import pytest

from dagrun.core.model import Matrix
from dagrun.errors import NotFoundError
from tests.unit.test_groups import EACH, call, lists, lived

LIFE = lived(
    call("list"), call("each", "list", for_each=EACH.for_each), call("m", matrix=Matrix(axes={"os": ("a", "b"), "v": ("1",)})),
    bodies=lambda: {"list": lists("x", "y")},
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("lst", "did you mean 'list'?"),
        ("lst[0]", "did you mean 'list'?"),
        ("list[0]", "'list' has no variants: name it alone"),
        ("each[2]", "there is 'each[0]' to 'each[1]'"),
        ("m[v=1,os=a]", "did you mean 'm[os=a,v=1]'?"),
        ("m[os=b]", "there is 'm[os=b,v=1]'"),
        ("zzz", "run r has: list, each, m"),
    ],
)
def test_a_task_or_a_variant_that_a_run_does_not_have_is_told_with_what_was_meant(
    name: str, hint: str
) -> None:
    service = LIFE.service
    for ask in (service.why, service.follow_logs, lambda run, task_id: list(service.logs(run, task_id))):
        with pytest.raises(NotFoundError) as error:
            ask("r", name)
        assert error.value.hint == hint


def test_a_list_that_is_not_known_yet_has_no_variants_to_ask_about() -> None:
    life = lived(call("list"), call("each", "list", for_each=EACH.for_each), bodies=lambda: {"list": lists()})
    with pytest.raises(NotFoundError) as error:
        life.service.why("r", "each[0]")
    assert error.value.hint == "'each' has no variants: its list is empty, or not known yet"
