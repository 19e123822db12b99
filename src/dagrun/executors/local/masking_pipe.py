"""A log without secrets: a small process of its own reads what an attempt and all its children print, and masks it."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from typing import NoReturn

from dagrun.masking import StreamMasker


def through_masker(log: int, masks: Sequence[str]) -> tuple[int, int]:
    """A descriptor to write to instead of `log`, and the process that masks on the way.

    It ends by itself when the last writer is gone, so whoever printed last has been heard.
    """
    masker = StreamMasker(
        masks
    )  # not in the child: all forms of the secrets are found once for many attempts
    reader, writer = os.pipe()
    try:
        pid = os.fork()
    except OSError:
        os.close(reader)
        os.close(writer)
        raise
    if pid:
        os.close(reader)
        return writer, pid
    try:
        _serve(reader, log, masker)
    finally:
        os._exit(70)  # not reached


def _serve(reader: int, log: int, masker: StreamMasker) -> NoReturn:
    os.setsid()  # what ends the attempt's group must not end this: there is still something to write
    signal.set_wakeup_fd(-1)
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(signum, signal.SIG_IGN)
    low, high = sorted((reader, log))
    os.closerange(0, low)
    os.closerange(low + 1, high)
    os.closerange(high + 1, 4096)
    while data := os.read(reader, 1 << 16):
        _write(log, masker.feed(data))
    _write(log, masker.finish())
    os._exit(0)


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
