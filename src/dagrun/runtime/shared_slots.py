"""Slots that the engines of a tree of runs share, given out in the order in which they are asked for."""

from __future__ import annotations

from collections.abc import Callable


class SharedSlots:
    """A number of slots. What one share releases goes to the share that has waited longest."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._taken = 0
        self._waiting: dict[SlotShare, None] = {}  # in order
        self._offered: set[SlotShare] = set()

    def share(self, wake: Callable[[], None]) -> SlotShare:
        """A share of them for one engine. `wake` is called when a slot is kept for it."""
        return SlotShare(self, wake)

    def is_free_for(self, share: SlotShare) -> bool:
        """Whether the share may take one more."""
        return self._taken + len(self._offered) - (share in self._offered) < self.most

    def change(self, share: SlotShare, by: int) -> None:
        """The share has taken (`by` > 0) or released slots."""
        self._taken += by
        if by > 0:
            self._offered.discard(share)
        self._offer()

    def wait(self, share: SlotShare) -> None:
        """Wake the share when it may take a slot."""
        self._waiting.setdefault(share)

    def withdraw(self, share: SlotShare) -> None:
        """The share wants no slot now: what is kept for it goes to others."""
        self._waiting.pop(share, None)
        if share in self._offered:
            self._offered.discard(share)
            self._offer()

    def _offer(self) -> None:
        while self._waiting and self._taken + len(self._offered) < self.most:
            share = next(iter(self._waiting))
            del self._waiting[share]
            self._offered.add(share)
            share.wake()


class SlotShare:
    """What one engine has of shared slots."""

    def __init__(self, slots: SharedSlots, wake: Callable[[], None]) -> None:
        self.wake = wake
        self._slots = slots
        self._taken = 0

    @property
    def is_free(self) -> bool:
        """Whether another slot may be taken now."""
        return self._slots.is_free_for(self)

    def update(self, taken: int) -> None:
        """So many slots are taken now."""
        if taken != self._taken:
            by, self._taken = taken - self._taken, taken
            self._slots.change(self, by)

    def settle(self, *, wants: bool) -> None:
        """Wait for a slot if one is wanted and none is free; else leave what is kept for this share to others."""
        if wants and not self.is_free:
            self._slots.wait(self)
        elif not wants:
            self._slots.withdraw(self)

    def close(self) -> None:
        """Release everything."""
        self._slots.withdraw(self)
        self.update(0)
