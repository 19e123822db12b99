"""Messages over a socket pair: whole ones come out, however they were cut on the way."""

from __future__ import annotations

import json
import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagrun.executors.wire import Channel, Message, pack

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


def test_descriptors_come_in_the_order_of_their_messages(pair: tuple[Channel, Channel]) -> None:
    one, other = pair
    for text in (b"first", b"second"):
        with tempfile.TemporaryFile() as file:
            file.write(text)
            file.flush()
            one.send({"text": text.decode()}, file.fileno())
    told: list[Message] = []
    while len(told) < 2:
        told += other.receive() or []
    for message in told:
        fd = other.take_fd()
        assert os.pread(fd, 10, 0).decode() == message["text"]
        os.close(fd)


def test_descriptors_that_nobody_took_are_closed_with_the_channel(pair: tuple[Channel, Channel]) -> None:
    one, other = pair
    reader, writer = os.pipe()
    one.send({}, writer)
    os.close(writer)
    other.receive()
    other.close()
    assert os.read(reader, 1) == b""
    os.close(reader)


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
