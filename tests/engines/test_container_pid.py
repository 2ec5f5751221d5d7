"""docker:NAME and podman:NAME against a fake engine: the right process, or one clear sentence."""

from __future__ import annotations

import errno
import os
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netlinkpy.engines import engine, http, names, resolve
from netlinkpy.engines.target import read_target
from tests.support.fake_engine import Answer, chunked, listening, plain, saying, to_the_end
from tests.support.namespaces import Container, inside

ID = "f6a628cc472301a9b7abf84762a47c96221ffb1bc29e9c9960a5adae52aed996"
OTHER = "f6b0000000000000000000000000000000000000000000000000000000000000"
RUNNING = {"Id": ID, "State": {"Status": "running", "Running": True, "Paused": False, "Pid": 4711}}
LIST = [{"Id": ID, "Names": ["/web"]}, {"Id": OTHER, "Names": ["/db", "/web/db"]}]


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where docker is to be; nobody listens there yet."""
    path = tmp_path / "docker.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    return path


def with_state(**state: Any) -> Answer:
    return saying(plain(200, {"Id": ID, "State": state}))


@pytest.mark.parametrize("answer", [
    plain(200, RUNNING),
    to_the_end(200, RUNNING),
    chunked(200, RUNNING, 1),
    chunked(200, RUNNING, 7),
    chunked(200, {**RUNNING, "Env": "x" * 300_000}, 32 * 1024),
])  # fmt: skip
def test_the_process_of_a_running_container(docker: Path, answer: bytes) -> None:
    with listening(docker, saying(answer)) as asked:
        assert resolve("docker", "web") == 4711
        assert read_target(f"docker:{ID[:12]}") == 4711
    assert asked == ["/containers/web/json", f"/containers/{ID[:12]}/json"]


def test_an_answer_that_comes_byte_by_byte(docker: Path) -> None:
    def dribble(_: str, connection: socket.socket) -> None:
        for byte in chunked(200, RUNNING, 20):
            connection.send(bytes([byte]))

    with listening(docker, dribble):
        assert resolve("docker", "web") == 4711


def test_a_paused_container_is_running(docker: Path) -> None:
    with listening(docker, with_state(Status="paused", Running=True, Paused=True, Pid=4711)):
        assert resolve("docker", "web") == 4711


@pytest.mark.parametrize("state, words", [
    ({"Status": "exited", "Running": False, "Pid": 0, "ExitCode": 137}, "it is exited with code 137"),
    ({"Status": "created", "Running": False, "Pid": 0, "ExitCode": 0}, "it is created"),
    ({"Status": "restarting", "Running": True, "Pid": 0, "ExitCode": 1}, "it is restarting"),
    ({"Status": "dead", "Running": False, "Pid": 4711}, "it is dead"),
    ({"Status": "\x1b[2Jex\nited", "Running": False, "Pid": 0}, "it is  [2Jex ited"),
])  # fmt: skip
def test_a_container_that_is_not_running(docker: Path, state: dict[str, Any], words: str) -> None:
    with listening(docker, with_state(**state)), pytest.raises(ProcessLookupError) as caught:
        resolve("docker", "web")
    assert caught.value.strerror == f"docker container web is not running: {words}"


def by_target(answers: dict[str, bytes]) -> Answer:
    return lambda target, connection: connection.sendall(answers[target])


def test_no_such_container(docker: Path) -> None:
    answer = saying(plain(404, {"message": "No such container: web"}))
    with listening(docker, answer), pytest.raises(FileNotFoundError) as caught:
        resolve("docker", "web")
    assert caught.value.strerror == "docker has no container web"


@pytest.mark.parametrize("status, message", [
    (500, "Multiple IDs found with provided prefix: f6"),  # docker 20.10
    (404, "more than one result for container ID f6: container already exists"),  # podman 4.3
])  # fmt: skip
def test_the_beginning_of_several_ids(docker: Path, status: int, message: str) -> None:
    answers = {
        "/containers/f6/json": plain(status, {"message": message}),
        "/containers/json?all=1": plain(200, LIST),
    }
    with listening(docker, by_target(answers)), pytest.raises(OSError) as caught:
        resolve("docker", "f6")
    assert caught.value.errno == errno.ENOTUNIQ
    assert caught.value.strerror == (
        "f6 begins the ids of 2 docker containers: web (f6a628cc4723), db (f6b000000000)"
    )


def test_names_of_what_runs(docker: Path) -> None:
    with listening(docker, saying(plain(200, [*LIST, {"Id": 3}, None, {"Id": "a", "Names": []}]))):
        assert names("docker") == {ID: "web", OTHER: "db"}


# -- engines that are not there ----------------------------------------------------------------------------


class Refusal(NamedTuple):
    errno: int | None
    text: str


def refusal(ask: Callable[[], object]) -> Refusal:
    """The error of asking, which is one sentence."""
    with pytest.raises(OSError) as caught:
        ask()
    text = caught.value.strerror
    assert text and "\n" not in text and len(text) < 400
    return Refusal(caught.value.errno, text)


def test_nobody_listens(docker: Path) -> None:
    error = refusal(lambda: resolve("docker", "web"))
    assert error.errno == errno.ECONNREFUSED
    assert error.text == f"docker does not listen at {docker}: is dockerd running?"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(docker))
    assert refusal(lambda: resolve("docker", "web")).text == error.text


def test_podman_without_its_service_says_what_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONTAINER_HOST", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    error = refusal(lambda: resolve("podman", "web"))
    assert error.errno == errno.ECONNREFUSED
    assert error.text.startswith("podman does not listen at /run/podman/podman.sock: without its service")
    assert "podman system service" in error.text


def test_where_the_engines_listen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("CONTAINER_HOST", "DOCKER_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    os.makedirs("/run/podman")
    (tmp_path / "podman").mkdir()
    for path, scheme in (
        (Path("/run/docker.sock"), "docker"),
        (tmp_path / "docker.sock", "docker"),
        (Path("/run/podman/podman.sock"), "podman"),
        (tmp_path / "podman" / "podman.sock", "podman"),
    ):
        with listening(path, saying(plain(200, RUNNING))) as asked:
            assert resolve(scheme, "web") == 4711 and asked == ["/containers/web/json"]
        path.unlink()


def test_an_ordinary_user_asks_his_own_podman_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONTAINER_HOST", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    monkeypatch.setattr(os, "geteuid", lambda: 7)
    text = refusal(lambda: resolve("podman", "web")).text
    assert "/run/user/7/podman/podman.sock or /run/podman/podman.sock" in text


@pytest.mark.parametrize("host", ["tcp://10.0.0.1:2375", "ssh://somewhere", "unix://", "/run/docker.sock"])
def test_an_engine_on_another_machine(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(ValueError, match=f"DOCKER_HOST is {host}: "):
        resolve("docker", "web")


@pytest.mark.needs("root")
def test_not_permitted(docker: Path) -> None:
    def as_nobody() -> Refusal:
        os.setgid(65534)
        os.setuid(65534)
        return refusal(lambda: resolve("docker", "web"))

    with listening(docker, saying(plain(200, RUNNING))):
        docker.chmod(0o600)
        for folder in list(docker.parents)[:3]:  # pytest's own, closed to others
            folder.chmod(0o755)
        assert inside(None, as_nobody) == (errno.EACCES, f"not permitted to ask docker at {docker}")


@pytest.mark.parametrize(
    "name", ["", "a b", "a/b", "../info", "a\r\nX: y", "a?all=1", "ä", "-a", "_", "a" * 256]
)
def test_names_that_no_container_has(docker: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a docker container"):
        resolve("docker", name)


def test_an_engine_in_another_pid_namespace(docker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def assert_refused() -> None:
        error = refusal(lambda: resolve("docker", "web"))
        assert error.errno == errno.EXDEV
        assert error.text.startswith("docker runs in another PID namespace")

    with listening(docker, saying(plain(200, RUNNING))):
        with monkeypatch.context() as patched:  # one below ours
            patched.setattr(engine, "_pid_namespace", str)
            assert_refused()
        monkeypatch.setattr(http.HttpConnection, "peer_pid", lambda _: 0)  # one above ours: not to be seen
        assert_refused()


# -- engines that mean no good -----------------------------------------------------------------------------

DOCUMENTS: list[object] = [
    {},
    [],
    None,
    7,
    {"State": []},
    {"State": {"Running": True}},
    {"State": {"Running": True, "Pid": "4711"}},
    {"State": {"Running": True, "Pid": True}},
    {"State": {"Running": True, "Pid": -1}},
    {"State": {"Running": True, "Pid": 1 << 40}},
]
DEEP = b"[" * 100_000
GARBAGE = [
    b"",
    b"\0" * 100,
    b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    b"HTTP/1.1 2000 OK\r\n\r\n{}",
    b"HTTP/1.1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0x10\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n 2\r\n{}XX0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n{}\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\nnot JSON",
    b"HTTP/1.1 200 OK\r\n\r\n\xff\xfe\xfd",
    b"HTTP/1.1 200 OK\r\n\r\n" + DEEP,
    *(plain(200, document) for document in DOCUMENTS),
]


@pytest.mark.parametrize("answer", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage(docker: Path, answer: bytes) -> None:
    with listening(docker, saying(answer)):
        error = refusal(lambda: resolve("docker", "web"))
    assert error.errno in (errno.EPROTO, errno.EMSGSIZE), error


@pytest.mark.parametrize("document, words", [
    ({"message": "server on \x1b[31mfire\r\n" + "!" * 10_000}, "server on  [31mfire  !!"),
    ({"message": "\ud800"}, "docker answers with HTTP status 503"),
    ({"message": 7}, "docker answers with HTTP status 503"),
    ([], "docker answers with HTTP status 503"),
])  # fmt: skip
def test_trouble_inside_the_engine(docker: Path, document: object, words: str) -> None:
    with listening(docker, saying(plain(503, document))):
        error = refusal(lambda: resolve("docker", "web"))
    assert error.errno == errno.EREMOTEIO and words in error.text
    error.text.encode()  # can be printed


def flood(head: bytes, piece: bytes) -> Answer:
    def answer(_: str, connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(piece)

    return answer


@pytest.mark.parametrize("head, piece", [
    (b"", b"A" * 65536),
    (b"HTTP/1.1 200 OK\r\n", b"X: " + b"y" * 4000 + b"\r\n"),
    (b"HTTP/1.1 200 OK\r\n\r\n", b" " * 65536),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b" " * 65536 + b"\r\n"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"f" * 65536),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n", b" " * 65536),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", b" " * 65536),
])  # fmt: skip
def test_an_endless_answer(docker: Path, head: bytes, piece: bytes) -> None:
    with listening(docker, flood(head, piece)):
        error = refusal(lambda: resolve("docker", "web"))
    assert error.errno in (errno.EPROTO, errno.EMSGSIZE), error


def dribbling(head: bytes, piece: bytes) -> Answer:
    def answer(_: str, connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(piece)
            time.sleep(0.02)

    return answer


@pytest.mark.parametrize("answer", [
    lambda _, connection: connection.recv(1),  # says nothing until we give up
    dribbling(b"HTTP/1.1 200 OK\r\nX: ", b"y"),
    dribbling(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
])  # fmt: skip
def test_an_answer_that_never_comes(docker: Path, answer: Answer) -> None:
    with listening(docker, answer):
        start = time.monotonic()
        error = refusal(lambda: resolve("docker", "web", timeout=0.3))
        assert time.monotonic() - start < 2
    assert error.errno == errno.ETIMEDOUT
    assert error.text == f"docker at {docker} does not answer within 0.3 seconds"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.one_of(
    st.binary(max_size=200),
    st.binary(max_size=60).map(lambda end: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + end),
    st.binary(max_size=60).map(lambda end: b"HTTP/1.1 200 OK\r\n" + end),
))  # fmt: skip
def test_any_bytes_give_a_process_or_one_sentence(data: bytes) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        connection = object.__new__(http.HttpConnection)
        connection._socket = ours
        connection._buffer, connection._deadline = bytearray(), time.monotonic() + 5
        try:
            status, body = connection.get("/")
        except OSError as error:
            assert error.errno in (errno.EPROTO, errno.EMSGSIZE) and error.strerror
        else:
            assert 0 <= status <= 999 and isinstance(body, bytes)


def test_the_listener_is_known_by_its_process(docker: Path) -> None:
    assert struct.calcsize("=iII") == 12  # struct ucred, as peer_pid() reads it
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(docker))
        listener.listen()
        with http.HttpConnection(str(docker), 1) as connection:
            assert connection.peer_pid() == os.getpid()


def test_the_target_of_a_command_reaches_the_namespace(docker: Path, container: Container) -> None:
    with listening(docker, with_state(Status="running", Running=True, Pid=container.pid)):
        from netlinkpy import Netns

        with Netns.open(read_target("docker:web")) as netns, Netns.open(container.pid) as expected:
            assert netns.identity == expected.identity
