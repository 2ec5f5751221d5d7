"""The recorder of replays (recorder/): it plays what was recorded, with the numbers adapted, and nothing
reaches the kernel.

    pytest benchmarks/test_replay.py
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent

# In network namespaces of its own, with the recorder preloaded.
PROGRAM = """
import ctypes, errno, os, socket, struct
from ground import RTM_GETLINK, RTM_NEWLINK, IFLA_IFNAME, IFLA_LINKINFO, IFLA_INFO_KIND
from ground import attribute, link_body, open_netlink

RTM_DELLINK, REQUEST, ACK, CREATE = 17, 1, 4, 0x600
library = ctypes.CDLL(None)
library.replay_trouble.restype = ctypes.c_char_p
library.replay_spent.restype = ctypes.c_uint64


def message(kind, flags, sequence, body):
    return struct.pack("IHHII", 16 + len(body), kind, REQUEST | flags, sequence, 0) + body


def create(sequence):
    info = attribute(IFLA_LINKINFO, attribute(IFLA_INFO_KIND, b"bridge"))
    return message(RTM_NEWLINK, ACK | CREATE, sequence, link_body(attribute(IFLA_IFNAME, b"x0\\0") + info))


def look(sequence):
    return message(RTM_GETLINK, 0, sequence, link_body(index=1))


def headers(data):
    return struct.unpack_from("IHHII", data)


def converse(sock, sequence):
    # Two datagrams before the first is answered; random bytes; a socket that nobody told its port.
    sock.send(create(sequence))
    sock.send(look(sequence + 1))
    answers = [sock.recv(65536), sock.recv(65536)]
    return answers, os.urandom(8), sock.getsockname()[0]


kept = open_netlink()
"""


def run(code: str) -> None:
    sys.path.insert(0, str(HERE))
    import provide
    from compare import UNSHARE

    preload = ["env", f"LD_PRELOAD={provide.recorder()}"]
    done = subprocess.run(
        [*UNSHARE, *preload, sys.executable, "-c", PROGRAM + code], cwd=HERE, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_answers_come_again_with_the_numbers_of_the_day() -> None:
    run("""
for sock in (open_netlink(), kept):
    library.replay_record(0)
    (ack, link), drawn, port = converse(sock, 70)
    library.replay_stop()
    assert headers(ack)[3] == 70 and headers(link)[3] == 71
    sock.send(message(RTM_DELLINK, ACK, 1, link_body(attribute(IFLA_IFNAME, b"x0\\0"))))
    assert headers(sock.recv(65536))[3] == 1
    for sequence in (500, 9):
        library.replay_play(0)
        played = kept if sock is kept else open_netlink()
        (ack_now, link_now), drawn_now, port_now = converse(played, sequence)
        library.replay_stop()
        assert not library.replay_trouble(), library.replay_trouble()
        assert library.replay_spent() > 0
        assert drawn_now == drawn
        assert headers(ack_now)[3] == sequence and headers(link_now)[3] == sequence + 1
        assert headers(ack_now)[4] == headers(link_now)[4] == port_now
        assert link_now[16:] == link[16:]
        assert "x0" not in [name for _, name in socket.if_nameindex()]
""")


def test_another_request_is_refused_and_told() -> None:
    run("""
def play(work):
    library.replay_play(0)
    with open_netlink() as sock:
        try:
            work(sock)
        except OSError as error:
            assert error.errno == errno.ECONNABORTED, error
        else:
            library.replay_stop()
            return library.replay_trouble().decode(), False
    library.replay_stop()
    return library.replay_trouble().decode(), True


library.replay_record(0)
converse(kept, 1)
library.replay_stop()
assert play(lambda sock: converse(sock, 1)) == ("", False)
for work, trouble, fails in (
    (lambda sock: sock.send(look(1)),
     "send 1, message 0: type 18 of 32 bytes, where type 16 of 56 was recorded", True),
    (lambda sock: sock.send(create(1) + look(2)), "send 1: 2 messages, where 1 were recorded", True),
    (lambda sock: sock.send(create(1)), "after send 1: more was sent when this was recorded", False),
    (lambda sock: (converse(sock, 1), sock.send(look(3))),
     "send 3: nothing more was sent when this was recorded", True),
):
    assert play(work) == (trouble, fails), play(work)
""")


def test_nobody_waits_for_what_does_not_come() -> None:
    run("""
import select
library.replay_record(0)
converse(kept, 1)
library.replay_stop()
library.replay_play(0)
with open_netlink() as sock:
    converse(sock, 1)
    waiter = select.poll()
    waiter.register(sock, select.POLLIN)
    try:
        waiter.poll(60_000)
    except OSError as error:
        assert error.errno == errno.ECONNABORTED
    else:
        raise AssertionError("it did not say so")
library.replay_stop()
assert b"nothing more was received" in library.replay_trouble()
""")
