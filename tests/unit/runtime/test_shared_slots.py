"""Slots that several engines share: never too many, in the order of asking, none lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dagrun.runtime.shared_slots import SharedSlots, SlotShare


class Engine:
    """An engine that wants a number of slots, and takes one whenever it is woken and may."""

    def __init__(self, slots: SharedSlots) -> None:
        self.share: SlotShare = slots.share(self.look)
        self.taken = 0
        self.wanted = 0
        self.woken = 0

    def look(self) -> None:
        self.woken += 1

    def turn(self) -> None:
        """What an engine does in one turn."""
        while self.taken < self.wanted and self.share.is_free:
            self.taken += 1
            self.share.update(self.taken)
        self.share.settle(wants=self.taken < self.wanted)

    def end_one(self) -> None:
        if self.taken:
            self.taken -= 1
            self.wanted -= 1
            self.share.update(self.taken)


def test_what_one_releases_goes_to_the_one_that_waits_longest() -> None:
    slots = SharedSlots(1)
    first, second, third = (Engine(slots) for _ in range(3))
    for each in (first, second, third):
        each.wanted = 1
        each.turn()
    assert (first.taken, second.taken, third.taken) == (1, 0, 0)
    first.end_one()
    first.wanted = 1
    first.turn()  # it wants another one, and has to wait
    assert (second.woken, third.woken) == (1, 0)
    third.turn()
    second.turn()
    assert (first.taken, second.taken, third.taken) == (0, 1, 0)


def test_a_slot_that_is_kept_for_one_that_wants_none_any_more_goes_to_the_next() -> None:
    slots = SharedSlots(1)
    first, second, third = (Engine(slots) for _ in range(3))
    for each in (first, second, third):
        each.wanted = 1
        each.turn()
    first.end_one()
    second.wanted = 0
    second.turn()
    assert third.woken == 1
    third.turn()
    assert third.taken == 1


def test_what_a_closed_share_had_is_free() -> None:
    slots = SharedSlots(1)
    first, second = Engine(slots), Engine(slots)
    first.wanted = second.wanted = 1
    first.turn()
    second.turn()
    first.share.close()
    second.turn()
    assert second.taken == 1


@given(st.integers(1, 3), st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["want", "end", "turn"]))))
def test_never_more_than_there_are_and_none_is_lost(most: int, steps: list[tuple[int, str]]) -> None:
    slots = SharedSlots(most)
    engines = [Engine(slots) for _ in range(4)]
    for which, step in steps:
        engine = engines[which]
        match step:
            case "want":
                engine.wanted += 1
            case "end":
                engine.end_one()
        engine.turn()
        assert sum(each.taken for each in engines) <= most
    for _ in range(len(steps) + 1):  # every engine that is woken has its turn
        for engine in engines:
            engine.turn()
    wanted, taken = (sum(getattr(each, word) for each in engines) for word in ("wanted", "taken"))
    assert taken == min(wanted, most)
