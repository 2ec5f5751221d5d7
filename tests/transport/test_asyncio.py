"""asyncio over the blocking socket's Transaction: a request, a dump and an event, before the real kernel."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING

import pytest

import netlinkpy as nl
from netlinkpy.uapi.netlink import (
    NETLINK_ADD_MEMBERSHIP,
    NLM_F_ACK,
    NLM_F_CREATE,
    NLM_F_DUMP,
    NLM_F_EXCL,
    SOL_NETLINK,
)
from netlinkpy.uapi.rtnetlink import RTM_GETLINK, RTM_NEWLINK
from netlinkpy.wire.rtnetlink.link import LINK
from netlinkpy.wire.transaction import Event, Request, Transaction

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from netlinkpy.wire.transaction import Answer

RTNLGRP_LINK = 1  # linux/rtnetlink.h


class Asker:
    """A socket that asks: one transaction at a time."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
        self._socket.bind((0, 0))
        self._next = 1

    async def ask(self, *requests: Request) -> list[Answer]:
        transaction = Transaction(requests, first=self._next, port=self._socket.getsockname()[0])
        self._next += len(requests)
        await asyncio.get_running_loop().sock_sendto(self._socket, transaction.data, (0, 0))
        while not transaction.done:
            transaction.feed(await receive(self._socket))
        return transaction.answers

    def close(self) -> None:
        self._socket.close()


class Listener:
    """A socket that listens, and asks nothing: all that comes is an event."""

    def __init__(self, group: int) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
        self._socket.bind((0, 0))
        self._socket.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)
        self._nothing_asked = Transaction([], port=self._socket.getsockname()[0])

    async def events(self) -> AsyncIterator[Event]:
        while True:
            for event in self._nothing_asked.feed(await receive(self._socket)):
                yield event

    def close(self) -> None:
        self._socket.close()


async def receive(sock: socket.socket) -> bytes:
    """One datagram of the kernel's."""
    while True:
        data, (sender, _) = await asyncio.get_running_loop().sock_recvfrom(sock, 65536)
        if sender == 0:
            return data


async def probe() -> None:
    asker, listener = Asker(), Listener(RTNLGRP_LINK)
    events = listener.events()
    create = Request(
        "add link br0",
        LINK,
        RTM_NEWLINK,
        NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK,
        {"ifname": "br0", "linkinfo": {"kind": "bridge"}},
    )
    (created,) = await asker.ask(create)
    assert created.get() == []
    with pytest.raises(nl.NetlinkError, match="add link br0"):
        (await asker.ask(create))[0].get()
    news = await anext(events)
    assert news.type == RTM_NEWLINK and LINK.parse(news.body)["ifname"] == "br0"
    look = Request("find br0", LINK, RTM_GETLINK, 0, {"ifname": "br0"})
    dump = Request("list links", LINK, RTM_GETLINK, NLM_F_DUMP, {})
    # the dump of one and the request of another, both under way at once
    other = Asker()
    (found,), (listed,) = await asyncio.gather(other.ask(look), asker.ask(dump))
    assert found.parsed()[0]["ifi_index"] == LINK.parse(news.body)["ifi_index"]
    assert [link["ifname"] for link in listed.parsed()] == ["lo", "br0"]
    for each in (asker, other, listener):
        each.close()


def test_a_request_a_dump_and_an_event() -> None:
    before = len(os.listdir("/proc/self/fd"))
    asyncio.run(asyncio.wait_for(probe(), 10))
    assert len(os.listdir("/proc/self/fd")) == before
