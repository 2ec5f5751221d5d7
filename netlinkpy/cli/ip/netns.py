"""`ip netns`: named network namespaces, their ids, and what runs inside them."""

from __future__ import annotations

import errno
import os

from ...netns.handle import RUN_DIRECTORY, Netns
from ...uapi.net_namespace import NETNSA_NSID_NOT_ASSIGNED
from ...uapi.rtnetlink import RTM_GETNSID, RTM_NEWNSID
from ...wire.rtnetlink.nsid import NSID
from ..command_error import CommandError, HelpError
from .grammar import Words, c_number, not_built, wrong

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .session import Session

NSID_MAX = 0x7FFFFFFF


def names() -> list[str]:
    """Return the names in /run/netns as the directory lists them, which is the order in which iproute2 shows
    them."""
    try:
        return os.listdir(RUN_DIRECTORY)
    except FileNotFoundError:
        return []


def check(name: str) -> str:
    """Return the name if a namespace may have it."""
    if not name or "/" in name or name in (".", "..") or len(os.fsencode(name)) > 255:
        raise CommandError(f'Invalid netns name "{name}"', 255, final=True)
    return name


def open_named(name: str, code: int = 255) -> Netns:
    """Return the namespace of a name (or path)."""
    try:
        return Netns.open(name)
    except ValueError:
        raise CommandError(
            f'Cannot open network namespace "{name}": No such file or directory', code
        ) from None
    except OSError as error:
        if error.errno == errno.EINVAL:
            why = f'setting the network namespace "{name}" failed: Invalid argument'
        else:
            why = f'Cannot open network namespace "{name}": {os.strerror(error.errno or 0)}'
        raise CommandError(why, code) from None


def id_of(session: Session, name: str) -> int | None:
    """Return the id that this namespace has for a named one, None if it has none."""
    try:
        with Netns.open(name) as netns:
            found = session.socket.request(
                NSID, RTM_GETNSID, 0, {"fd": netns.fileno()}, verb="find namespace id"
            )
    except (OSError, ValueError):
        return None
    number = found[0]["nsid"] if found else NETNSA_NSID_NOT_ASSIGNED
    return None if number == NETNSA_NSID_NOT_ASSIGNED else number


def names_by_id(session: Session) -> dict[int, str]:
    """Return the names of the namespaces that this one has ids for."""
    found: dict[int, str] = {}
    for name in names():
        number = id_of(session, name)
        if number is not None:
            found.setdefault(number, name)
    return found


def show(session: Session, words: Words) -> None:
    """`ip netns list`."""
    if not os.path.isdir(RUN_DIRECTORY):
        return
    out = session.output()
    for name in names():
        number = id_of(session, name)
        id_field = ("id", number, f" (id: {number})") if number is not None else (None, None, "")
        out.record([("name", name, name), id_field, (None, None, "\n")])
    out.close()


def show_ids(session: Session, words: Words) -> None:
    """`ip netns list-id [target-nsid ID] [nsid ID]`."""
    target = wanted = None
    while words:
        word = words.next()
        if word == "target-nsid":
            target = _id(words.next(), '"target-nsid" value is invalid')
        elif word == "nsid":
            wanted = _id(words.next(), '"nsid" value is invalid')
        else:
            raise HelpError()
    values = {} if target is None else {"target_nsid": target}
    if wanted is None:
        found = session.socket.dump(NSID, RTM_GETNSID, values, verb="list namespace ids")
    else:
        found = session.socket.request(
            NSID, RTM_GETNSID, 0, {**values, "nsid": wanted}, verb="find namespace id"
        )
    out = session.output()
    for entry in found:
        number = entry["nsid"]
        fields = [("nsid", number, f"nsid {number} ")]
        current = entry.get("current_nsid")
        if current is not None:
            fields.append(("current-nsid", current, f"current-nsid {current} "))
        name = session.namespace_name(number if current is None else current)
        if name:
            fields.append(("name", name, f"(iproute2 netns name: {name})"))
        out.record([*fields, (None, None, "\n")])
    out.close()


def _id(word: str, why: str) -> int:
    number = c_number(word)
    if number is None or not 0 <= number <= NSID_MAX:
        raise wrong(word, why)
    return number


def add(session: Session, words: Words) -> None:
    """`ip netns add NAME`."""
    if not words:
        raise CommandError("No netns name specified")
    from ...netns.named import create

    name = check(words.next())
    try:
        create(name)
    except OSError as error:
        raise _refusal(error, f'Cannot create namespace file "{RUN_DIRECTORY}/{name}"') from None


def attach(session: Session, words: Words) -> None:
    """`ip netns attach NAME PID`."""
    given = words.rest()
    if len(given) < 2:
        raise CommandError("No netns name and PID specified")
    name, pid = check(given[0]), c_number(given[1])
    if pid is None or pid <= 0:
        raise CommandError(f"Invalid PID: {given[1]}")
    from ...netns.named import bind

    try:
        bind(name, pid)
    except ProcessLookupError:
        path = f"/proc/{pid}/ns/net"
        raise CommandError(
            f"Bind {path} -> {RUN_DIRECTORY}/{name} failed: No such file or directory"
        ) from None
    except OSError as error:
        raise _refusal(error, f'Cannot create namespace file "{RUN_DIRECTORY}/{name}"') from None


def _refusal(error: OSError, what: str) -> CommandError:
    return CommandError(f"{what}: {os.strerror(error.errno or 0)}")


def delete(session: Session, words: Words) -> None:
    """`ip [-all] netns delete [NAME]`."""
    if session.options.all:
        given = names()
    elif words:
        given = [check(words.next())]
    else:
        raise CommandError("No netns name specified")
    from ...netns.named import delete as remove

    for name in given:
        try:
            remove(name)
        except OSError as error:
            raise _refusal(error, f'Cannot remove namespace file "{RUN_DIRECTORY}/{name}"') from None


def set_id(session: Session, words: Words) -> None:
    """`ip netns set NAME { auto | ID }`."""
    if not words:
        raise CommandError("No netns name specified")
    name = words.next()
    if not words:
        raise CommandError("No nsid specified")
    word = words.next()
    number: int | None = -1
    if word != "auto":
        number = c_number(word)
        if number is None or not -NSID_MAX <= number <= NSID_MAX:
            raise wrong(word, 'Invalid "netnsid" value')
        if number < 0:
            raise wrong(word, '"netnsid" value should be >= 0')
    with open_named(check(name), 1) as netns:
        values = {"fd": netns.fileno(), "nsid": number}
        session.socket.request(NSID, RTM_NEWNSID, 0, values, verb=f"set the id of namespace {name}")


def identify(session: Session, words: Words) -> None:
    """`ip netns identify [PID]`."""
    given = words.rest()
    if len(given) > 1:
        raise CommandError("extra arguments specified")
    pid = given[0] if given else "self"
    if given and not pid.isdigit():
        raise CommandError(f"Specified string '{pid}' is not a pid")
    try:
        wanted = (
            _identity(f"/proc/{pid}/ns/net") if given or session.netns is None else session.netns.identity
        )
    except OSError as error:
        raise CommandError(f"Cannot open network namespace: {os.strerror(error.errno or 0)}") from None
    found = [name for name in names() if _identity_or_none(f"{RUN_DIRECTORY}/{name}") == wanted]
    name = found[-1] if found else ""  # of several names iproute2 prints the last
    out = session.output()
    out.text(f"{name}\n")
    out.flush()


def pids(session: Session, words: Words) -> None:
    """`ip netns pids NAME`."""
    given = words.rest()
    if not given:
        raise CommandError("No netns name specified")
    if len(given) > 1:
        raise CommandError("extra arguments specified")
    from ...netns.processes import pids as find

    try:
        found = find(check(given[0]))
    except OSError as error:
        raise CommandError(f"Cannot open network namespace: {os.strerror(error.errno or 0)}") from None
    out = session.output()
    out.text("".join([f"{pid}\n" for pid in found]))
    out.flush()


def _identity(path: str) -> tuple[int, int]:
    descriptor = os.open(
        path, os.O_RDONLY | os.O_CLOEXEC
    )  # opened, not only looked at: opening may be refused
    try:
        status = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    return status.st_dev, status.st_ino


def _identity_or_none(path: str) -> tuple[int, int] | None:
    try:
        return _identity(path)
    except OSError:
        return None


def monitor(session: Session, words: Words) -> None:
    """`ip netns monitor`."""
    raise not_built("ip netns monitor")


def prune(session: Session, words: Words) -> None:
    """`netlinkpy netns prune`: remove dangling names from /run/netns, and print them."""
    if words:
        raise CommandError("netns prune takes no arguments")
    from ...netns.named import prune as remove_dangling

    out = session.output()
    for name in remove_dangling():
        out.record([("name", name, f"{name}\n")])
    out.close()
