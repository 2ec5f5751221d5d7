"""The socket before the real kernel: ports, options, forks, signals, threads, and what it leaves."""

from __future__ import annotations

import errno
import fcntl
import gc
import os
import resource
import signal
import socket as plain
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

import netlinkpy as nl
from netlinkpy import backends
from netlinkpy.framing import frame
from netlinkpy.transport.socket import Socket
from netlinkpy.transport.visit import visit
from netlinkpy.uapi.netlink import (
    NETLINK_CAP_ACK,
    NETLINK_EXT_ACK,
    NETLINK_GET_STRICT_CHK,
    NLM_F_ACK,
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REQUEST,
    SOL_NETLINK,
)
from netlinkpy.uapi.rtnetlink import RTM_DELLINK, RTM_GETLINK, RTM_GETROUTE, RTM_NEWLINK, RTM_NEWROUTE
from netlinkpy.uapi.sched import CLONE_NEWNET, CLONE_NEWUSER
from netlinkpy.wire.attributes import Slot
from netlinkpy.wire.program import Program, ProgramStep
from netlinkpy.wire.rtnetlink.link import LINK
from netlinkpy.wire.rtnetlink.route import ROUTE
from netlinkpy.wire.template import Template
from netlinkpy.wire.transaction import Request
from tests.support.namespaces import Container, inside, map_root, unshare

LO = {"ifname": "lo"}


class SignalledError(Exception):
    """What the handler raises."""


@pytest.fixture
def interrupting(untraced: None) -> Iterator[None]:
    """SIGALRM raises SignalledError."""

    def handler(*_: object) -> None:
        raise SignalledError

    before = signal.signal(signal.SIGALRM, handler)
    gc.disable()  # what is raised in a callback of the collector is lost
    yield
    gc.enable()
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def lo_of(sock: Socket) -> int:
    index: int = sock.get(LINK, RTM_GETLINK, LO, verb="find lo")["ifi_index"]
    return index


# -- what it is --------------------------------------------------------------------------------------------


def test_it_is_bound_and_has_its_options() -> None:
    with Socket() as sock:
        assert sock.port == os.getpid() or sock.port > 0
        other = plain.socket(fileno=os.dup(sock.fileno()))
        with other:
            assert (other.family, other.type, other.proto) == (plain.AF_NETLINK, plain.SOCK_RAW, 0)
            for option in (NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK):
                assert other.getsockopt(SOL_NETLINK, option) == 1
        assert fcntl.fcntl(sock.fileno(), fcntl.F_GETFD) & fcntl.FD_CLOEXEC
        assert sock.answer_room >= 100 and sock.datagram_room >= 100_000


def test_the_buffer_is_read_back_and_never_assumed(container: Container) -> None:
    with Socket() as sock:
        before = sock.answer_room
        sock.enlarge()
        assert sock.answer_room >= before

    def work() -> tuple[int, int]:
        uid, gid = os.geteuid(), os.getegid()
        unshare(CLONE_NEWUSER | CLONE_NEWNET)
        map_root(uid, gid)
        with Socket() as sock:
            before = sock.answer_room
            sock.enlarge()  # refused there, and no error
            return before, sock.answer_room

    before, after = inside(None, work)
    assert before == after


def test_a_port_is_one_sockets() -> None:
    with Socket() as first:
        with pytest.raises(OSError, match="is taken") as caught:
            Socket(port=first.port)
        assert caught.value.errno == errno.EADDRINUSE
        port = first.port
    with Socket(port=port) as second:
        assert second.port == port


def test_the_limit_that_was_reached_is_told(container: Container) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    with nl.netns.Netns.open(container.pid) as there:
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + 1, hard))
        try:
            for work, tried in (
                (Socket, "cannot open a netlink socket: "),
                (lambda: Socket(netns_fd=there.fileno(), where="process 7"), "netlink socket in process 7: "),
                (lambda: nl.netns.Netns.open(container.pid), f"cannot open process {container.pid}: "),
                (lambda: nl.netns.Netns.open(there), f"cannot open process {container.pid}: "),
                (nl.netns.Netns.current, "cannot open the caller's namespace: "),
            ):
                with pytest.raises(OSError, match=r"RLIMIT_NOFILE, `ulimit -n`") as caught:
                    work()
                assert caught.value.errno == errno.EMFILE and tried in str(caught.value)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_to_enter_a_namespace_takes_a_right_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr("netlinkpy.transport.socket.open_socket", refuse)
    with pytest.raises(PermissionError, match=r"in process 7: not permitted to enter it: this needs CAP_SYS"):
        Socket(netns_fd=5, where="process 7")


def test_closing_twice_is_harmless_and_using_it_then_is_not() -> None:
    sock = Socket()
    sock.close()
    sock.close()
    assert sock.fileno() == -1
    with pytest.raises(OSError, match=r".{5}") as caught:
        lo_of(sock)
    assert caught.value.errno == errno.EBADF
    with Socket() as other:
        pass
    assert other.fileno() == -1


def test_a_socket_in_another_namespace_stays_there(container: Container) -> None:
    with nl.Netns.open(container.pid) as handle:
        sock = Socket(netns_fd=handle.fileno())
    with sock:
        values = {"ifname": "br0", "linkinfo": {"kind": "bridge"}}
        sock.request(LINK, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, values, verb="add link br0")
        assert fcntl.fcntl(sock.fileno(), fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    with nl.RTNetlink() as here, nl.RTNetlink(container.pid) as there:
        assert [link.name for link in here.links.list()] == ["lo"]
        assert [link.name for link in there.links.list()] == ["lo", "br0"]


def test_a_descriptor_that_is_no_namespace(container: Container) -> None:
    descriptors = len(os.listdir("/proc/self/fd"))
    with open("/dev/null") as file, pytest.raises(OSError, match=r".{5}") as caught:
        Socket(netns_fd=file.fileno())
    assert caught.value.errno == errno.EINVAL
    with pytest.raises(OSError, match=r".{5}"):
        Socket(netns_fd=9999)
    assert len(os.listdir("/proc/self/fd")) == descriptors


# -- forks and threads -------------------------------------------------------------------------------------


def test_a_forked_child_is_refused() -> None:
    """It would eat the parent's answers. In the child each way to ask is refused before anything is sent."""
    with Socket() as sock:

        def work() -> list[tuple[int | None, str]]:
            asks: list[Callable[[], object]] = [
                lambda: lo_of(sock),
                lambda: sock.request(LINK, RTM_GETLINK, 0, LO),
                lambda: sock.dump(LINK, RTM_GETLINK, {}),
                lambda: sock.batch([Request("", LINK, RTM_GETLINK, NLM_F_ACK, LO)]),
                lambda: sock.exchange(bytearray(frame(RTM_GETLINK, NLM_F_REQUEST, 1, LINK.pack(LO))), 1),
            ]
            refusals: list[tuple[int | None, str]] = []
            for ask in asks:
                try:
                    ask()
                except OSError as error:
                    refusals.append((error.errno, str(error)))
            return refusals

        refusals = inside(None, work)
        assert [number for number, _ in refusals] == [errno.EPERM] * 5
        assert all(str(os.getpid()) in text and "child" in text for _, text in refusals)
        assert lo_of(sock) == 1  # the parent's is as good as before


def test_a_child_may_have_its_own() -> None:
    with Socket() as sock:
        assert inside(None, lambda: lo_of_new()) == 1
        assert lo_of(sock) == 1


def lo_of_new() -> int:
    with Socket() as sock:
        return lo_of(sock)


def test_each_thread_may_have_its_own() -> None:
    found: list[int] = []

    def work() -> None:
        with Socket() as sock:
            found.extend(lo_of(sock) for _ in range(50))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1] * 200


def test_a_second_thread_is_refused_in_words() -> None:
    """Two threads on one socket: each answer that comes is right, and what is refused says why."""
    found: list[tuple[int, int]] = []
    refused: list[OSError] = []
    with Socket() as sock, nl.RTNetlink() as rt:
        rt.links.add("br0", kind="bridge")
        indices = [1, rt.links.get("br0").index]
        ready = threading.Barrier(2)

        def work(index: int) -> None:
            ready.wait()
            for _ in range(3000):
                try:
                    found.append((index, sock.get(LINK, RTM_GETLINK, {"ifi_index": index})["ifi_index"]))
                except OSError as error:
                    refused.append(error)

        threads = [threading.Thread(target=work, args=(index,)) for index in indices]
        before = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            sys.setswitchinterval(before)
        assert lo_of(sock) == 1
    assert [one for one in found if one[0] != one[1]] == []
    assert len(found) + len(refused) == 6000 and refused
    assert {(error.errno, "thread" in str(error)) for error in refused} == {(errno.EBUSY, True)}


def test_a_socket_that_is_lent_is_refused_to_other_threads() -> None:
    with Socket() as sock:
        sock.lend()
        refused: list[OSError] = []

        def work() -> None:
            for ask in (sock.lend, lambda: lo_of(sock), lambda: sock.exchange(bytearray(), 0)):
                try:
                    ask()
                except OSError as error:
                    refused.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert [error.errno for error in refused] == [errno.EBUSY] * 3
        sock.take_back(answered=True)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert len(refused) == 3


def test_a_visit_that_fails_gives_back_what_it_was_lent() -> None:
    """To all threads, and the next request reads away what it left."""
    template = Template()
    template.add(LINK, RTM_GETLINK, NLM_F_REQUEST, {"ifi_index": 1})
    program = Program([ProgramStep("look", template, beside=True)])
    found: list[int] = []
    with Socket() as sock:
        with pytest.raises(ValueError, match=r".{10}"):
            visit(program, bytearray(4), bytes(4), 1.0, beside=sock, results=program.room(1))
        thread = threading.Thread(target=lambda: found.append(lo_of(sock)))
        thread.start()
        thread.join()
    assert found == [1]


@pytest.mark.usefixtures("untraced")
def test_a_handler_that_asks_meanwhile_is_refused() -> None:
    """It would take the answer that is waited for."""
    refused: list[OSError] = []

    def handler(*_: object) -> None:
        try:
            lo_of(sock)
        except OSError as error:
            refused.append(error)

    before = signal.signal(signal.SIGALRM, handler)
    try:
        with Socket(timeout=0.2) as sock:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            with pytest.raises(nl.DeadlineError):  # it asks for no ack, and so never gets an answer
                sock.ask([Request("wait", LINK, RTM_NEWLINK, 0, {"ifi_index": 1})])
            assert lo_of(sock) == 1
    finally:
        signal.signal(signal.SIGALRM, before)
    assert [error.errno for error in refused] == [errno.EBUSY]


# -- other senders -----------------------------------------------------------------------------------------


def test_what_another_process_sends_to_our_port_is_ignored() -> None:
    """It guesses the number of our next request, and says that it failed."""
    with Socket() as sock, plain.socket(plain.AF_NETLINK, plain.SOCK_RAW, plain.NETLINK_ROUTE) as stranger:
        lo_of(sock)
        for sequence in range(1, 30):
            body = (-errno.EPERM).to_bytes(4, "little", signed=True) + bytes(16)
            stranger.sendto(frame(2, 0, sequence, body), (sock.port, 0))
        assert lo_of(sock) == 1
        assert sock.dump(LINK, RTM_GETLINK, {})[0]["ifname"] == "lo"


# -- signals -----------------------------------------------------------------------------------------------


def routes(rt: nl.RTNetlink, count: int) -> None:
    """So many routes: a dump of them takes several datagrams."""
    rt.links.set("lo", up=True)
    template = Template()
    values: dict[str, object] = {"rtm_family": 2, "rtm_dst_len": 32, "rtm_table": 254, "rtm_type": 1}
    values |= {"rtm_scope": 253, "oif": 1, "dst": Slot("dst", 4)}
    template.add(ROUTE, RTM_NEWROUTE, NLM_F_REQUEST | NLM_F_CREATE, values)
    column = b"".join([(0x0A000000 + number).to_bytes(4, "big") for number in range(count)])
    messages = template.stamp({"dst": column}, count, sequence=1)
    assert rt.socket.exchange(messages, count, verb="add routes") == []


def all_routes(sock: Socket) -> int:
    return len(sock.dump(ROUTE, RTM_GETROUTE, {"rtm_family": 2, "table": 254}, verb="list routes"))


@pytest.mark.usefixtures("untraced")
def test_a_signal_without_a_handler_that_raises_is_no_matter() -> None:
    """EINTR is no error: the request goes on."""
    seen: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda number, frame: seen.append(number))
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        with nl.RTNetlink() as rt:
            routes(rt, 3000)
            for _ in range(20):
                assert all_routes(rt.socket) == 3000
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(seen) > 10


def test_what_a_handler_raises_ends_the_request_and_not_the_socket(interrupting: None) -> None:
    """Dumps broken off in the middle, many times; the kernel allows one dump at a time on a socket."""
    broken = 0
    with nl.RTNetlink() as rt:
        routes(rt, 8000)
        for turn in range(20):
            signal.setitimer(signal.ITIMER_REAL, 0.001 + turn * 0.0007)
            try:
                all_routes(rt.socket)
            except SignalledError:
                broken += 1
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            assert lo_of(rt.socket) == 1
            if turn % 3 == 0:
                assert all_routes(rt.socket) == 8000
    assert broken > 5


def test_what_a_handler_raises_while_waiting(interrupting: None) -> None:
    """Nothing will come: the signal ends the wait at once."""
    with Socket() as sock:
        began = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(SignalledError):
            sock._receive(None, "wait", time.monotonic() + 10)
        assert time.monotonic() - began < 2
        assert lo_of(sock) == 1


def test_answers_of_an_exchange_that_was_broken_off_are_nobody_elses(
    interrupting: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refusals of messages numbered as later requests are: they must not be taken for those's answers."""
    refused = bytearray()
    for number in range(1, 40):
        refused += frame(RTM_DELLINK, NLM_F_REQUEST | NLM_F_ACK, number, LINK.pack({"ifi_index": 9999}))
    welcome = bytearray()
    for number in range(1, 4):
        welcome += frame(RTM_NEWLINK, NLM_F_REQUEST, number, LINK.pack({"ifi_index": 1}))

    def broken_off(fd: int, messages: bytearray, *rest: object) -> object:
        with plain.socket(fileno=os.dup(fd)) as same:
            same.send(messages)
        raise SignalledError  # between sending and reading

    for later in (
        lo_of,
        lambda sock: len(sock.dump(LINK, RTM_GETLINK, {})),
        lambda sock: 1 + len(sock.exchange(welcome, 3)),
        lambda sock: 1 + len(sock.request(LINK, RTM_NEWLINK, 0, {"ifi_index": 1})),
    ):
        with Socket() as sock:
            monkeypatch.setattr(backends.load(), "exchange", broken_off)
            with pytest.raises(SignalledError):
                sock.exchange(refused, 39)
            monkeypatch.undo()
            assert later(sock) == 1


# -- deadlines ---------------------------------------------------------------------------------------------


def test_answers_that_do_not_fit_the_buffer_are_not_asked_for() -> None:
    """More acks than the receive buffer holds, in one datagram; as many as it holds come all."""
    with Socket() as sock:
        request = Request("do much", LINK, RTM_NEWLINK, NLM_F_ACK, {"ifi_index": 1})
        for ask in (sock.ask, sock.batch):
            with pytest.raises(ValueError, match=f"do much: .* holds {sock.answer_room}"):
                ask([request] * (sock.answer_room + 1))
        assert lo_of(sock) == 1
        assert not any(answer.error for answer in sock.ask([request] * sock.answer_room))


def test_answers_that_were_lost_are_said_to_be() -> None:
    """The buffer holds fewer than it says: replies are longer than acks."""
    with Socket() as sock:
        request = Request("look often", LINK, RTM_GETLINK, 0, {"ifi_index": 1})
        with pytest.raises(nl.OverrunError) as caught:
            sock.ask([request] * sock.answer_room)
        assert caught.value.errno == errno.ENOBUFS and "look often" in str(caught.value)
        assert lo_of(sock) == 1


def request(flags: int, values: dict[str, object]) -> Request:
    return Request("", LINK, RTM_NEWLINK, flags, values)


def test_a_batch_is_one_datagram_and_its_first_refusal_is_told() -> None:
    with Socket() as sock, nl.RTNetlink() as rt:
        create = NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK
        bridge = {"linkinfo": {"kind": "bridge"}}
        good = [request(create, {"ifname": f"br{number}", **bridge}) for number in range(3)]
        sock.batch(good, verb="add bridges")
        assert len(rt.links.list(kind="bridge")) == 3
        more = request(create, {"ifname": "br9", **bridge})
        with pytest.raises(nl.NetlinkError) as caught:
            sock.batch([good[0], more], verb="add bridges")
        assert caught.value.errno == errno.EEXIST and "add bridges" in str(caught.value)
        with pytest.raises(ValueError, match="mtu"):
            sock.batch([more, request(create, {"mtu": -1})])
        assert lo_of(sock) == 1
