"""Messages over a socket pair: whole ones come out, however they were cut on the way."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagrun.executors.local.channel import Channel, Message, pack

MESSAGES = st.lists(
    st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=20), max_size=3), max_size=5
)


@pytest.fixture
def pair() -> Iterator[tuple[Channel, Channel]]:
    one, other = (Channel(sock) for sock in socket.socketpair())
    yield one, other
    one.close()
    other.close()


@given(MESSAGES, st.data())
def test_frames_may_be_split_anywhere(messages: list[Message], data: st.DataObject) -> None:
    stream = b"".join(map(pack, messages))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    raw, sock = socket.socketpair()
    channel = Channel(sock)
    received: list[Message] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        if start < end:
            raw.sendall(stream[start:end])
            received += channel.receive() or []
    raw.close()
    assert received == messages
    assert channel.receive() is None
    channel.close()


def test_several_messages_may_come_at_once(pair: tuple[Channel, Channel]) -> None:
    one, other = pair
    for number in range(3):
        one.send({"n": number})
    assert other.receive() == [{"n": 0}, {"n": 1}, {"n": 2}]


def test_any_text_passes(pair: tuple[Channel, Channel]) -> None:
    one, other = pair
    message = {"text": "ä\0\ud800\U0001f600\n"}
    one.send(message)
    assert other.receive() == [message]


def test_a_message_larger_than_the_socket_takes_passes(pair: tuple[Channel, Channel]) -> None:
    one, other = pair
    message = {"page": "x" * 3_000_000}
    sender = threading.Thread(target=one.send, args=(message,))
    sender.start()
    received: list[Message] = []
    while not received:
        received += other.receive() or []
    sender.join()
    assert received == [message]


def received(channel: Channel, count: int) -> list[Message]:
    """So many messages."""
    found: list[Message] = []
    while len(found) < count:
        found += channel.receive() or []
    return found


def unblocked(pair: tuple[Channel, Channel]) -> tuple[Channel, Channel]:
    """The pair, with a first end that never blocks."""
    pair[0].sock.setblocking(False)
    return pair


def test_a_channel_that_does_not_block_keeps_what_nobody_reads(pair: tuple[Channel, Channel]) -> None:
    one, other = unblocked(pair)
    messages = [{"n": n, "page": "x" * 10_000} for n in range(1_000)]
    for message in messages:
        one.send(message)
    assert one.has_unsent()
    found: list[Message] = []
    while len(found) < len(messages):
        one.flush()
        found += other.receive() or []
    assert found == messages
    assert not one.has_unsent()


def test_a_message_of_many_megabytes_does_not_block_either(pair: tuple[Channel, Channel]) -> None:
    one, other = unblocked(pair)
    one.send(message := {"page": "x" * 20_000_000})
    found: list[Message] = []
    while not found:
        one.flush()
        found += other.receive() or []
    assert found == [message]


def file_with(text: str) -> int:
    """A descriptor of a file that holds the text."""
    with tempfile.TemporaryFile() as file:
        file.write(text.encode())
        file.flush()
        return os.dup(file.fileno())


def test_descriptors_come_in_the_order_of_their_messages(pair: tuple[Channel, Channel]) -> None:
    one, other = pair
    for text in ("first", "second"):
        one.send({"text": text}, file_with(text))
    for message in received(other, 2):
        (fd,) = other.take_fds()
        assert os.pread(fd, 10, 0).decode() == message["text"]
        os.close(fd)


def test_descriptors_stay_with_messages_that_had_to_wait(pair: tuple[Channel, Channel]) -> None:
    one, other = unblocked(pair)
    while not one.has_unsent():
        one.send({"page": "x" * 10_000})
    for text in ("first", "second"):
        one.send({"text": text}, file_with(text), file_with(text))
        one.send({"between": "x" * 100_000})
    found: list[Message] = []
    while sum("between" in message for message in found) < 2:
        one.flush()
        found += other.receive() or []
    for message in found:
        if "text" in message:
            for fd in other.take_fds():
                assert os.pread(fd, 10, 0).decode() == message["text"]
                os.close(fd)


def test_what_is_written_to_one_that_is_gone_is_dropped_with_its_descriptors(
    pair: tuple[Channel, Channel],
) -> None:
    one, other = unblocked(pair)
    while not one.has_unsent():
        one.send({"page": "x" * 10_000})
    reader, writer = os.pipe()
    one.send({}, writer)
    other.close()
    one.flush()
    assert not one.has_unsent()
    assert os.read(reader, 1) == b""
    os.close(reader)


def test_on_a_loop_what_was_kept_is_written_when_the_other_end_reads(pair: tuple[Channel, Channel]) -> None:
    one, other = pair
    messages = [{"n": n, "page": "x" * 10_000} for n in range(200)]

    async def send_and_receive() -> list[Message]:
        one.attach(asyncio.get_running_loop(), lambda: None)
        for message in messages:
            one.send(message)
        return await asyncio.to_thread(received, other, len(messages))

    assert asyncio.run(asyncio.wait_for(send_and_receive(), 60)) == messages


def test_one_that_may_open_no_more_files_is_told_of_fewer_descriptors(pair: tuple[Channel, Channel]) -> None:
    one, other = pair
    one.send({}, file_with(""), file_with(""))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free(), hard))
    try:
        received(other, 1)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert other.take_fds() == []


def lowest_free() -> int:
    """The number of the descriptor that would be opened next."""
    fd = os.open(os.devnull, os.O_RDONLY)
    os.close(fd)
    return fd


def test_descriptors_that_nobody_took_are_closed_with_the_channel(pair: tuple[Channel, Channel]) -> None:
    one, other = pair
    reader, writer = os.pipe()
    one.send({}, writer)
    other.receive()
    other.close()
    assert os.read(reader, 1) == b""
    os.close(reader)


def test_what_is_no_message_is_refused() -> None:
    raw, sock = socket.socketpair()
    channel = Channel(sock, longest=1 << 20)
    raw.sendall(b"hello\n")
    with pytest.raises(ValueError, match="a message of"):
        channel.receive()
    raw.close()
    channel.close()


def test_the_end_of_the_other_side_is_heard(pair: tuple[Channel, Channel]) -> None:
    one, other = pair
    one.close()
    assert other.receive() is None
    with pytest.raises(OSError):
        other.send({"too": "late"})


def test_a_message_that_the_end_cut_off_is_not_heard() -> None:
    raw, sock = socket.socketpair()
    channel = Channel(sock)
    raw.sendall(pack({"whole": 1}) + pack({"half": 1})[:-2])
    raw.close()
    assert (channel.receive(), channel.receive()) == ([{"whole": 1}], None)
    channel.close()


def test_a_frame_is_its_length_and_json() -> None:
    packed = pack({"k": "ä"})
    assert packed[:4] == (len(packed) - 4).to_bytes(4, "big")
    body: Any = json.loads(packed[4:])
    assert body == {"k": "ä"}
