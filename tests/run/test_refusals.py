"""What contradicts itself or cannot be is one clear sentence, and changes nothing."""

from __future__ import annotations

import os
import signal

import pytest

from netlinkpy.run import listing
from tests.support.namespaces import Container
from tests.support.run_testbed import detached, netlinkpy, on_bridge, run
from tests.support.snapshot import snapshot

ADDRESS = ("--ip", "172.17.42.9/16")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--net=host", *ADDRESS), "an address cannot be had with --net=host"),
        (("--net=none", "--bridge", "br0"), "a bridge cannot be had with --net=none"),
        (("--net=none", "--mac-address", "random"), "a MAC address cannot be had with --net=none"),
        (("--net=container:x", "-p", "80:80"), "published ports cannot be had with --net=container:x"),
        (("--net=host", "--default-gateway", "172.17.42.1"), "a default gateway cannot be had with"),
        (
            ("--net=container:x", "--hostname", "y"),
            "a host name of its own cannot be had with --net=container:x",
        ),
        (("--net=container:x", "--dns", "9.9.9.9"), "DNS servers of its own cannot be had with"),
        (("--net=none", "--dns", "nine"), "'nine' is no IP address"),
        (("--net=none", "--hostname", "x" * 65), "a host name has from 1 to 64 bytes"),
        (("--net=none", "--hostname", ""), "a host name has from 1 to 64 bytes"),
        (("--net=container:",), "container: needs a TARGET"),
        (("--net=container:nobody",), "there is no container nobody"),
        (("--net=container:2147483647",), "there is no process 2147483647"),
        (("--net=container:pid:x",), "'x' is no process id"),
        (("--net=container:netns:blue",), "there is no namespace blue"),
        (("--net=container:/etc/passwd",), "is not a network namespace"),
        (("--net=nowhere",), "nowhere"),
        (("--bridge", "br0", "--ip6", "172.17.42.9/16"), "ip6: '172.17.42.9/16' is not an IPv6 address"),
        (("--bridge", "br0", "--ip", "fd00::9/64"), "ip: 'fd00::9/64' is not an IPv4 address"),
        (("--bridge", "br0", "--ip", "172.17.42.9"), "172.17.42.9"),
        (("--bridge", "br0", "--ip", "172.17.42.9/16", "--mac-address", "01:00:00:00:00:01"), "multicast"),
        (("--bridge", "br0", "--ip", "10.1.1.1/24"), "outside the net of br0"),
        (("--bridge", "lo", *ADDRESS), "lo"),
        (("--bridge", "br1", *ADDRESS), "br1"),
    ],
)
def test_refused(options: tuple[str, ...], words: str) -> None:
    before = snapshot()
    finished = run(*options, "--", "true")
    assert finished.returncode == 125, finished
    lines = [line for line in finished.stderr.splitlines() if "is no isolation" not in line]
    assert len(lines) == 1 and lines[0].startswith("netlinkpy: ") and words in lines[0], finished.stderr
    assert finished.stdout == "" and snapshot() == before and listing() == []


@pytest.mark.parametrize("words", [(), ("--net=none",), ("--nonsense", "true"), ("--net",), ("-x", "true")])
def test_words_that_do_not_fit(words: tuple[str, ...]) -> None:
    finished = run(*words)
    assert finished.returncode == 2 and "netlinkpy" in finished.stderr


def test_the_target_is_gone() -> None:
    """Found, and dead when its network is to be shared: by name and by pid."""
    other = detached(*on_bridge(), name="other")
    os.kill(other.holder, signal.SIGKILL)
    finished = run("--net=container:other", "--", "true")
    assert finished.returncode in (0, 125)
    gone = run(f"--net=container:pid:{other.pid}", "--", "true")
    assert gone.returncode == 125 and str(other.pid) in gone.stderr


def test_the_target_dies_meanwhile() -> None:
    """Who shares a network keeps it: the namespace lives as long as somebody is in it."""
    other = detached(*on_bridge(), name="other")
    sharing = detached("--net=container:other", name="sharing")
    assert netlinkpy("kill", "other").returncode == 0
    assert [one.pid for one in listing()] == [sharing.pid]
    assert os.stat(f"/proc/{sharing.pid}/ns/net").st_ino
    assert other.pid != sharing.pid
    assert netlinkpy("exec", "sharing", "true").returncode == 0


def test_a_target_of_another_user_namespace(containers: object) -> None:
    """Root may share the network of a rootless container."""
    (other,) = containers(1, user=True)  # type: ignore[operator]
    assert isinstance(other, Container)
    finished = run(f"--net=container:{other.pid}", "--", "readlink", "/proc/self/ns/net")
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.strip() == os.readlink(other.path)
