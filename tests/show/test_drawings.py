"""The tree, the graph and the SVG of hosts made up of records."""

from __future__ import annotations

import itertools
import json
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netlinkpy.show import dot, svg, tree
from netlinkpy.show.model import Host
from tests.support import sample_hosts

SVG = "{http://www.w3.org/2000/svg}"
TREE = """\
alpha
├── bridge docker0                      172.17.42.1/16
│   ├── veth0000000a  ─── eth0 in web               172.17.0.2/16  fd00::2/64  via 172.17.42.1  docker, pid 2778: nginx -g daemon off;
│   │   ├── 8080/tcp → 80
│   │   └── [2001:db8::1]:53/udp → 53
│   ├── veth0000000b  ─── eth0 in blue              down  no address  port learning             named namespace, no process
│   ├── eth1          hardware
│   └── veth0000000c  ─── a namespace out of sight  down
├── network backend (bridge br-1a2b3c)  10.9.0.1/24  internal  isolate  down
│   └── no ports
├── interface eth0                      192.168.1.5/24  via 192.168.1.1
│   ├── mac0 in web   192.168.1.6/24  docker, pid 2778: nginx -g daemon off;
│   └── mac0 in blue  192.168.1.7/24  named namespace, no process
├── tun vpn0 on eth0                    10.8.0.2/32
├── not wired to this host
│   └── sleep  pid 2780: sleep 1000
└── published, but no container has the address
    └── 9000/tcp → 172.17.0.9:90
"""  # noqa: E501
HOSTILE = st.text(
    st.one_of(st.characters(), st.sampled_from("<>&\"'\\|{}\n\r\t\0\x1b[]\ud800\udcff\ufffe\u202e")),
    max_size=20,
)


def test_the_tree() -> None:
    assert tree.draw(sample_hosts.host()) == TREE


def test_the_tree_without_the_letters() -> None:
    plain = tree.draw(sample_hosts.host(), ascii=True)
    assert plain.isascii()
    assert "|   |-- veth0000000a  --- eth0 in web " in plain
    assert "|   |   `-- [2001:db8::1]:53/udp -> 53" in plain


def test_many_published_ports_are_counted() -> None:
    host = sample_hosts.host()
    lines = tree.draw(host.replace(astray=host.astray * 11)).splitlines()
    assert lines[-2:] == ["    ├── 9000/tcp → 172.17.0.9:90", "    └── … and 3 more"]


def test_an_empty_host() -> None:
    assert tree.draw(Host("alone")) == "alone\n"
    assert ElementTree.fromstring(svg.draw(Host("alone"))).tag == f"{SVG}svg"
    assert dot.draw(Host("alone")).startswith('graph "alone" {\n')


def test_json_holds_all_of_it() -> None:
    found = json.loads(json.dumps(sample_hosts.host().to_dict()))
    first = found["networks"][0]["ports"][0]
    assert first["claims"] == ["172.17.0.2"] and first["state"] == "forwarding"
    assert first["ends"][0]["container"]["title"] == "web"
    assert first["ends"][0]["interface"]["addresses"] == ["172.17.0.2/16", "fd00::2/64"]
    assert first["ends"][0]["published"][0] == {
        "protocol": "tcp", "port": 8080, "address": "172.17.0.2", "target": 80, "host": "",
        "localhost": False,
    }  # fmt: skip


# -- the SVG -----------------------------------------------------------------------------------------------


def texts(document: str) -> list[str]:
    return ["".join(element.itertext()) for element in ElementTree.fromstring(document).iter(f"{SVG}text")]


def test_the_svg_says_all_of_it() -> None:
    found = texts(svg.draw(sample_hosts.host()))
    for text in (
        *("alpha", "2 networks, 2 containers, 3 published ports", "bridge docker0", "172.17.42.1/16"),
        *("web", "docker", "2778 nginx -g daemon off;", "eth0 172.17.0.2/16", "     fd00::2/64"),
        *("     via 172.17.42.1", "8080/tcp → 80", "[2001:db8::1]:53/udp → 53", "veth0000000a"),
        *("blue", "down, no address, learning", "eth1", "hardware", "a namespace out of sight", "down"),
        *("network backend (bridge br-1a2b3c)", "internal", "isolate", "nothing is wired to it"),
        *("interface eth0", "192.168.1.5/24   via 192.168.1.1", "mac0 192.168.1.7/24"),
        *("tun vpn0 on eth0 10.8.0.2/32", "sleep", "2780 sleep 1000", "9000/tcp → 172.17.0.9:90"),
    ):
        assert text in found, text


def test_the_svg_needs_nothing_else() -> None:
    document = svg.draw(sample_hosts.host())
    for word in ("href", "url(", "@import", "<script", "<image", "<foreignObject", "http"):
        assert word not in document.replace('xmlns="http://www.w3.org/2000/svg"', "")


@pytest.mark.parametrize("count", [0, 1, 2, 5, 13, 50, 200])
def test_cards_are_apart_and_inside(count: int) -> None:
    root = ElementTree.fromstring(svg.draw(sample_hosts.crowd(count)))
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    cards = [
        tuple(float(rect.get(name, 0)) for name in ("x", "y", "width", "height"))
        for rect in root.iter(f"{SVG}rect")
        if "card" in (rect.get("class") or "").split()
    ]
    assert len(cards) == count
    assert height < 3 * width or count > 100
    for x, y, wide, high in cards:
        assert x >= 0 and y >= 0 and x + wide <= width and y + high <= height
    for (ax, ay, aw, ah), (bx, by, bw, bh) in itertools.combinations(cards, 2):
        assert ax + aw < bx or bx + bw < ax or ay + ah < by or by + bh < ay


@pytest.mark.parametrize("count", [1, 7, 200])
def test_text_stays_inside_its_card(count: int) -> None:
    """By the widest letters of the fonts named: 0.602 em of a monospace, 0.6 of a bold sans on average."""
    root = ElementTree.fromstring(svg.draw(sample_hosts.crowd(count)))
    for group in root.iter(f"{SVG}g"):
        (card,) = [rect for rect in group.iter(f"{SVG}rect") if rect.get("class") == "card"]
        right = float(card.get("x", 0)) + float(card.get("width", 0))
        for text in group.iter(f"{SVG}text"):
            if text.get("text-anchor") != "end" and float(text.get("y", 0)) > float(card.get("y", 0)):
                letter = 11 * 0.602 if "mono" in (text.get("class") or "") else 13 * 0.6
                assert float(text.get("x", 0)) + len(text.text or "") * letter < right


@pytest.mark.needs("rsvg-convert")
@pytest.mark.parametrize(
    "host", [sample_hosts.host(), sample_hosts.crowd(200), sample_hosts.hostile("<&>\x1b\ud800")]
)
def test_a_viewer_draws_it(host: Host) -> None:
    done = subprocess.run(["rsvg-convert"], input=svg.draw(host).encode(), capture_output=True, timeout=60)
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert done.stdout.startswith(b"\x89PNG")


# -- names that mean no good -------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(text=HOSTILE)
def test_no_name_breaks_a_picture(text: str) -> None:
    host = sample_hosts.hostile(text)
    root = ElementTree.fromstring(svg.draw(host).encode())  # can be encoded, and is XML
    shapes = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert shapes <= {"svg", "title", "style", "rect", "text", "path", "circle", "g"}
    lines = tree.draw(host).encode().decode().split("\n")
    assert len(lines) == 8 and all(line.isprintable() for line in lines)
    json.dumps(host.to_dict()).encode()
    assert _unquoted(dot.draw(host).encode().decode()).count("\n") == dot.draw(Host("x")).count("\n") + 6


def _unquoted(graph: str) -> str:
    """A graph without its strings, which must end where they seem to."""
    out, inside, escaped = [], False, False
    for letter in graph:
        if inside:
            assert letter.isprintable()
            escaped, inside = letter == "\\" and not escaped, letter != '"' or escaped
        elif letter == '"':
            inside = True
        else:
            out.append(letter)
    assert not inside
    return "".join(out)


@pytest.mark.needs("dot")
@pytest.mark.parametrize(
    "host", [sample_hosts.host(), sample_hosts.crowd(20), sample_hosts.hostile('a"\\\n<b>')]
)
def test_graphviz_takes_the_graph(host: Host) -> None:
    done = subprocess.run(["dot", "-Tplain"], input=dot.draw(host).encode(), capture_output=True, timeout=60)
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert done.stdout.count(b"\nedge ") >= 1
