"""Standard streams on real descriptors: full, broken, slow, closed."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Iterator

import pytest

from dagrun.cli import streams
from dagrun.cli.streams import ANY_COLOUR, MAX_KEPT, OWN_COLOURS, OutputLost, visible


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe; whatever of it is still open is closed after the test."""
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue


def descriptor(fd: int, *, strict: bool = True, was_closed: bool = False) -> streams.Descriptor:
    return streams.Descriptor(fd, strict=strict, was_closed=was_closed)


def text(fd: int, encoding: str = "utf-8") -> streams.TextStream:
    return streams.TextStream(descriptor(fd), encoding, by_line=True)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("plain ü €\n\ttext", "plain ü €\n\ttext"),
        ("\x1b[2J\x1b]0;title\x07", r"\x1b[2J\x1b]0;title\x07"),
        ("a\rb\x7f\x9b", r"a\rb\x7f\x9b"),
        ("gnp\u202eexe", r"gnp\u202eexe"),
        ("name\udcff \ud800", r"name\xff \ud800"),
        ("two\u00a0words, \u200dzero width", "two\u00a0words, \u200dzero width"),
    ],
)
def test_control_characters_are_made_visible(written: str, shown: str) -> None:
    assert visible(written) == shown


def test_colours_stay_where_they_are_wanted() -> None:
    assert visible("\x1b[31mred\x1b[0m\x1b[2J", OWN_COLOURS) == "\x1b[31mred\x1b[0m" + r"\x1b[2J"
    assert visible("\x1b[38;5;9mred\x1b[0m", OWN_COLOURS) == r"\x1b[38;5;9mred" + "\x1b[0m"
    assert visible("\x1b[38;5;9mred\x1b[H", ANY_COLOUR) == "\x1b[38;5;9mred" + r"\x1b[H"


def test_text_reaches_the_descriptor_with_controls_shown(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    print("\x1b[31m1\x1b[2J", file=text(writer))
    assert os.read(reader, 100) == rb"\x1b[31m1\x1b[2J" + b"\n"


def test_what_the_encoding_lacks_is_escaped(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    print("ü €", file=text(writer, "ascii"))
    print("ü €", file=text(writer, "iso-8859-1"))
    assert os.read(reader, 100) == b"\\xfc \\u20ac\n\xfc \\u20ac\n"


def test_a_broken_pipe_is_an_end_without_a_complaint(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.close(reader)
    out = descriptor(writer)
    with pytest.raises(OutputLost) as lost:
        out.write(b"x")
    assert (lost.value.is_unread, lost.value.exit_code) == (True, 141)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no full device")  # noqa: PTH110
def test_a_full_device_is_an_error_and_later_text_goes_nowhere() -> None:
    fd = os.open("/dev/full", os.O_WRONLY)
    try:
        out = descriptor(fd)
        with pytest.raises(OutputLost, match="cannot write to standard output: No space left") as lost:
            out.write(b"x")
        assert (lost.value.is_unread, lost.value.exit_code) == (False, 1)
        assert out.write(b"more") == 4
        assert out.lost is not None
    finally:
        os.close(fd)


def test_a_stream_that_was_closed_at_the_start_takes_nothing(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    with pytest.raises(OutputLost, match="it is closed"):
        descriptor(writer, was_closed=True).write(b"x")
    assert descriptor(writer, strict=False, was_closed=True).write(b"x") == 1
    os.close(writer)
    assert os.read(reader, 100) == b""


def test_losing_a_stream_that_does_not_matter_raises_nothing(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.close(reader)
    out = descriptor(writer, strict=False)
    assert out.write(b"x") == 1
    assert out.lost is not None
    assert out.lost.errno == errno.EPIPE


def test_a_pipe_that_does_not_block_is_waited_for(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.set_blocking(writer, False)
    sent, read = bytes(range(256)) * 4096, bytearray()

    def drain() -> None:
        while len(read) < len(sent):
            read.extend(os.read(reader, 50_000))

    slow = threading.Thread(target=drain)
    slow.start()
    descriptor(writer).write(sent)
    slow.join(60)
    assert bytes(read) == sent


def test_who_must_not_wait_keeps_what_is_not_read_and_drops_what_is_too_much(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    out = descriptor(writer, strict=False)
    out.waits = False
    line = b"x" * 999 + b"\n"
    for _ in range(2 * MAX_KEPT // len(line)):
        out.write(line)
    assert out.dropped > 0
    os.set_blocking(reader, False)
    read = bytearray()
    with contextlib.suppress(BlockingIOError):  # when it has written all that it kept
        while True:
            out.flush()
            read += os.read(reader, 65_536)
    assert len(read) > MAX_KEPT
    assert read.count(line) == len(read) // len(line)  # whole lines
    assert b"lines were left out: nobody read them in time" in read


def test_a_reader_who_never_reads_is_not_waited_for_longer_than_said(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    out = descriptor(writer, strict=False)
    out.waits = False
    out.write(b"x" * MAX_KEPT)
    out.waits = True
    out.drain(patience=0.01)
    in_the_pipe = len(os.read(reader, MAX_KEPT))
    assert 0 < in_the_pipe < MAX_KEPT
    out.flush()  # the rest was dropped
    os.set_blocking(reader, False)
    with pytest.raises(BlockingIOError):
        os.read(reader, 1)


def test_a_closed_descriptor_is_opened_so_that_no_file_gets_its_number(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.close(writer)
    streams.open_on_nothing(writer)
    assert os.get_inheritable(writer)
    os.write(writer, b"nowhere")
    assert os.read(reader, 10) == b""
