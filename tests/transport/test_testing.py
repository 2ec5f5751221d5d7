"""netlinkpy.testing as its users have it: the verbs of the library before a kernel of their own."""

from __future__ import annotations

import errno

import pytest

import netlinkpy as nl
from netlinkpy.testing import Asked, FakeKernel
from netlinkpy.transport.socket import Socket
from netlinkpy.uapi.rtnetlink import RTM_DELLINK, RTM_GETLINK, RTM_NEWLINK
from netlinkpy.wire.rtnetlink.link import LINK
from netlinkpy.wire.transaction import Request


def answer(asked: Asked) -> list[bytes]:
    """Two links, of which nothing can be changed."""
    if asked.type != RTM_GETLINK:
        return [asked.ack(errno.EPERM, "read only")]
    links = [LINK.pack({"ifi_index": number, "ifname": f"eth{number}"}) for number in (0, 1)]
    if asked.is_dump:
        return [b"".join(asked.part(RTM_NEWLINK, link) for link in links), asked.done()]
    found = [link for link in links if LINK.parse(link)["ifname"] == LINK.parse(asked.body)["ifname"]]
    return [asked.reply(RTM_NEWLINK, found[0])] if found else [asked.ack(errno.ENODEV)]


def test_verbs_before_a_kernel_of_ones_own() -> None:
    with FakeKernel(answer) as kernel, nl.RTNetlink() as rt:
        assert [link.name for link in rt.links.list()] == ["eth0", "eth1"]
        assert list(rt.links.columns()["index"]) == [0, 1]
        assert rt.links.get("eth1").index == 1
        with pytest.raises(nl.NetlinkError) as caught:
            rt.links.get("eth2")
        assert caught.value.errno == errno.ENODEV
        with pytest.raises(nl.NetlinkError) as caught:
            rt.links.delete("eth1")
        assert (caught.value.errno, caught.value.text) == (errno.EPERM, "read only")
        assert kernel.asked[-1].type == RTM_DELLINK
        assert LINK.parse(kernel.asked[-1].body)["ifname"] == "eth1"


def test_several_messages_of_one_datagram_are_asked_in_turn() -> None:
    with FakeKernel(answer) as kernel, Socket() as sock:
        requests = [Request("find it", LINK, RTM_GETLINK, 0, {"ifname": f"eth{number}"}) for number in (1, 5)]
        found, missing = sock.ask(requests)
        assert [one.type for one in kernel.asked] == [RTM_GETLINK] * 2
        assert found.parsed()[0]["ifi_index"] == 1
        assert missing.error is not None and missing.error.errno == errno.ENODEV


def test_it_ends() -> None:
    """A socket stays before the kernel that it was opened before; each has a port of its own."""
    with FakeKernel(answer) as kernel:
        first = Socket()
        with (
            FakeKernel(lambda asked: [asked.ack(errno.EINVAL)]),
            nl.RTNetlink() as inner,
            pytest.raises(nl.NetlinkError, match="EINVAL"),
        ):
            inner.links.list()
        second = Socket(port=99)
    with first, second, Socket() as real:
        assert (first.port, second.port) == (1, 99)
        for sock in (first, second):
            assert len(sock.dump(LINK, RTM_GETLINK, {})) == 2
        assert [link["ifname"] for link in real.dump(LINK, RTM_GETLINK, {})] == ["lo"]
    assert [asked.port for asked in kernel.asked] == [1, 99]


def test_what_is_left_of_an_answer_comes_before_the_next() -> None:
    with FakeKernel(lambda asked: [asked.ack(), asked.ack(errno.EPERM)]), Socket() as sock:
        for _ in range(3):
            assert sock.request(LINK, RTM_NEWLINK, 0, {"ifi_index": 1}) == []
        assert sock.late == 2
