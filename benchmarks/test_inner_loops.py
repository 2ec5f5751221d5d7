"""The inner loops, by pytest-benchmark: what is done for every container or route, by backend; the import.

No kernel is involved.

    pytest benchmarks/test_inner_loops.py
"""

from __future__ import annotations

import subprocess
import sys
from array import array
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from netlinkpy import backends
from netlinkpy.uapi.rtnetlink import RTM_NEWLINK, RTM_NEWROUTE
from netlinkpy.wire.attributes import Slot
from netlinkpy.wire.columns import compile_plan
from netlinkpy.wire.rtnetlink.link import LINK
from netlinkpy.wire.rtnetlink.route import ROUTE
from netlinkpy.wire.template import Template

if TYPE_CHECKING:
    from netlinkpy.backends.interface import Backend

Benchmark = Callable[..., Any]  # the fixture; pytest-benchmark gives it no type

ROWS = 10_000
ROUTE_VALUES = {"rtm_family": 2, "rtm_dst_len": 32, "rtm_table": 254, "rtm_protocol": 3, "rtm_type": 1}
VETH_VALUES = {
    "ifname": "eth0",
    "address": b"\x02\x42\xac\x11\x64\x01",
    "num_tx_queues": 1,
    "num_rx_queues": 1,
    "linkinfo": {"kind": "veth", "data": {"peer": {"ifname": "veth01234567", "net_ns_fd": 3, "group": 77}}},
}


@pytest.fixture(params=["cffi", "native", "python"])
def backend(request: pytest.FixtureRequest) -> Backend:
    try:
        return backends.get(request.param)
    except ImportError as missing:
        pytest.skip(str(missing))


def route_template() -> Template:
    template = Template()
    template.add(ROUTE, RTM_NEWROUTE, 0x601, {**ROUTE_VALUES, "dst": Slot("dst", 4), "oif": 7})
    return template


def stamped(backend: Backend) -> bytearray:
    """Return ROWS messages that add a route, as the stamp writes them."""
    template = route_template()
    out = bytearray(ROWS * len(template.data))
    destinations = array("I", range(ROWS))
    columns = [(offset, 4, destinations, 4, True) for offset in template.offsets("dst")]
    assert backend.stamp(out, template.data, columns, 0, ROWS, 1) == ROWS
    return out


def test_stamp_routes(benchmark: Benchmark, backend: Backend) -> None:
    benchmark(stamped, backend)


def test_gather_routes(benchmark: Benchmark, backend: Backend) -> None:
    data = stamped(backend)
    paths = [ROUTE.plan(name) for name in ("rtm_dst_len", "dst", "oif")]
    fields = [(path, offset, width or 4, 0) for path, offset, width in paths]
    plan = compile_plan(RTM_NEWROUTE, ROUTE.header.struct.size, fields)
    columns = [bytearray(ROWS * width) for _, _, width, _ in fields]

    def gather() -> None:
        added, _, _ = backend.gather(data, len(data), plan, columns, None, 0, ROWS)
        assert added == ROWS

    benchmark(gather)
    assert columns[1][-4:] == (ROWS - 1).to_bytes(4, "big")


def test_pack_a_veth(benchmark: Benchmark) -> None:
    benchmark(LINK.pack, VETH_VALUES)


def test_pack_a_route(benchmark: Benchmark) -> None:
    benchmark(ROUTE.pack, {**ROUTE_VALUES, "dst": b"\x0a\0\0\1", "oif": 7})


def test_parse_a_veth(benchmark: Benchmark) -> None:
    body = LINK.pack(VETH_VALUES)
    assert benchmark(LINK.parse, body)["ifname"] == "eth0"


def test_make_a_template(benchmark: Benchmark) -> None:
    def make() -> Template:
        template = Template()
        template.add(LINK, RTM_NEWLINK, 0x605, {**VETH_VALUES, "ifname": Slot("ifname", 16)})
        return template

    benchmark(make)


@pytest.mark.parametrize("code", ["pass", "import netlinkpy", "from netlinkpy import attach_many"])
def test_import(benchmark: Benchmark, code: str) -> None:
    """Start an interpreter for an import; compare with that of `pass`."""
    benchmark.pedantic(  # type: ignore[attr-defined]
        subprocess.run, ([sys.executable, "-c", code],), {"check": True}, rounds=10
    )
