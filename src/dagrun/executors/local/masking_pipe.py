"""A log without secrets: a small process reads what an attempt and all its children print, and masks it."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from typing import NoReturn

from dagrun.masking import StreamMasker


def open_masking_pipe(log: int, masks: Sequence[str]) -> tuple[int, int]:
    """A descriptor to write to instead of `log`, and the id of the process that masks the text. Raises OSError.

    The process exits when the last writer has closed the pipe, so everything that was printed is in the log then.
    """
    masker = StreamMasker(
        masks
    )  # not in the child: the forms of a secret are computed once for many attempts
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
    os.setsid()  # signals to the attempt's process group must not end this process: it still has text to write
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
