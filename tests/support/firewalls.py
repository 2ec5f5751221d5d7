"""Real firewalls, a VPN and dockerd in the test's own namespaces, each for the length of a with statement.

What a program starts is in its PID namespace, and ends with it; its files are in a folder of the test."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.namespaces import MS_BIND, Container, mount, unmount

PATIENCE = 30.0  # seconds until a program is ready
_BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={}</listen><auth>EXTERNAL</auth><policy context="default">
<allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy></busconfig>
"""
_WG = """[Interface]
PrivateKey = {key}
Address = {address}/24
{more}
[Peer]
PublicKey = {peer}
AllowedIPs = {allowed}
"""


@contextlib.contextmanager
def _running(
    command: list[str], ready: list[str], log: Path, netns: str = "/proc/self/ns/net"
) -> Iterator[None]:
    """A command in a PID namespace of its own, from when another command succeeds."""
    own = ["nsenter", f"--net={netns}", "unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    with open(log, "w") as file:
        process = subprocess.Popen([*own, *command], stdout=file, stderr=file)
    try:
        deadline = time.monotonic() + PATIENCE
        while subprocess.run(ready, capture_output=True).returncode:
            if process.poll() is not None or time.monotonic() > deadline:
                say = pytest.fail if os.environ.get("NETLINKPY_REQUIRE") == "all" else pytest.skip
                say(f"{' '.join(command)[:80]} does not run here: {log.read_text()[-300:]}")
            time.sleep(0.1)
        yield
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def dockerd(folder: Path) -> Iterator[str]:
    """dockerd; gives the address of its socket."""
    socket = f"unix://{folder}/docker.sock"
    command = ["dockerd", "--storage-driver=vfs", f"--data-root={folder}/data", f"--exec-root={folder}/exec"]
    command += [f"--pidfile={folder}/pid", "-H", socket]
    with _running(command, ["docker", "-H", socket, "info"], folder / "log"):
        yield socket


@contextlib.contextmanager
def firewalld(folder: Path) -> Iterator[None]:
    """firewalld with a D-Bus of its own, by which `firewall-cmd` reaches it."""
    bus, configuration = folder / "bus", folder / "bus.conf"
    configuration.write_text(_BUS.format(bus))
    (folder / "firewalld").mkdir()
    before = os.environ.get("DBUS_SYSTEM_BUS_ADDRESS")
    os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = f"unix:path={bus}"
    try:
        serve = f"dbus-daemon --nofork --nopidfile --config-file={configuration} &"
        serve += f" while ! [ -S {bus} ]; do sleep 0.05; done;"
        serve += f" exec firewalld --nofork --nopid --system-config {folder}/firewalld --log-target console"
        with _running(["sh", "-c", serve], ["firewall-cmd", "--state"], folder / "log"):
            yield
    finally:
        del os.environ["DBUS_SYSTEM_BUS_ADDRESS"]
        if before is not None:
            os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = before


@contextlib.contextmanager
def ufw(folder: Path) -> Iterator[None]:
    """ufw, enabled, with copies of its files in the place of the machine's."""
    with contextlib.ExitStack() as stack:
        for place in ("/etc/ufw", "/etc/default"):
            copy = f"{folder}{place}"
            shutil.copytree(place, copy, symlinks=True)
            mount(copy, place, None, MS_BIND)
            stack.callback(unmount, place)
        subprocess.run(["ufw", "--force", "enable"], check=True, stdout=subprocess.DEVNULL)
        yield


@contextlib.contextmanager
def wireguard(folder: Path, internet: Container, endpoint: str, kill_switch: str = "") -> Iterator[None]:
    """wg-quick's wg0, by which all packets go to a wg1 in the internet. kill_switch: a command for when it is
    up, in which %i is wg0."""
    keys = [subprocess.check_output(["wg", "genkey"]) for _ in range(2)]
    public = [subprocess.check_output(["wg", "pubkey"], input=key).decode().strip() for key in keys]
    rest = f"PostUp = {kill_switch}\n" if kill_switch else ""
    client = _WG.format(
        key=keys[0].decode(), address="10.66.0.2", more=rest, peer=public[1], allowed="0.0.0.0/0"
    )
    server = _WG.format(
        key=keys[1].decode(),
        address="10.66.0.1",
        more="ListenPort = 51820",
        peer=public[0],
        allowed="10.66.0.2/32",
    )
    for name, text in (("wg0", client + f"Endpoint = {endpoint}:51820\n"), ("wg1", server)):
        with open(os.open(folder / f"{name}.conf", os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
            file.write(text)
    with contextlib.ExitStack() as stack:
        for name, where in (("wg1", internet.path), ("wg0", "/proc/self/ns/net")):
            up = f"wg-quick up {folder}/{name}.conf && touch {folder}/{name} && exec sleep infinity"
            ready = ["test", "-e", f"{folder}/{name}"]
            stack.enter_context(_running(["sh", "-c", up], ready, folder / f"{name}.log", where))
        yield
