"""The options of a kind of link: the words after `type KIND`, and how `ip -d link` shows them.

Both come from the kind's rows (wire/rtnetlink/kinds/). What is irregular is in a file of the kind's name in
kinds/: WORDS, functions that read a word's value into the attributes; SHOWN, functions that show an attribute
in place of its row; complete(), which gets the attributes after all words are read."""

from __future__ import annotations

from ...rtnl.values import format_ip
from ...wire.codecs import MAC, Bits, Flag, Sized
from ...wire.rtnetlink.kind import IFINDEX, ON_OFF, WITH_NO, Pairs
from ...wire.rtnetlink.kinds import find, find_port
from ..command_error import CommandError, complain
from .grammar import matches, not_built, number, on_off_of, wrong
from .inet import address, lladdr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import ModuleType
    from typing import Any, TypeAlias

    from ...wire.attributes import Values
    from ...wire.rtnetlink.kind import Kind, Option
    from ..output import Field
    from .grammar import Words
    from .link_words import LinkWords
    from .session import Session

    #: May return what to close after the message is sent.
    Reader: TypeAlias = Callable[[Session, Words, Values], LinkWords | None]
    Shower: TypeAlias = Callable[[Session, Option, Values], Iterator[Field]]


def find_kind(name: str) -> Kind | None:
    """Return the kind of a name in `ip`'s words: a port of a bridge is of kind "bridge_slave"."""
    return find_port(name.removesuffix("_slave")) if name.endswith("_slave") else find(name)


def read_kind(
    session: Session, name: str, words: Words, *, creating: bool = False
) -> tuple[Values, list[LinkWords]]:
    """Return IFLA_LINKINFO of a kind and its options, and what to close after it is sent."""
    port = name.endswith("_slave")
    info: Values = {"slave_kind": name.removesuffix("_slave")} if port else {"kind": name}
    if not words:
        return info, []
    kind = find_kind(name)
    if kind is None:
        raise not_built(f"the options of kind {name} ({words.next()})")
    data: Values = {}
    opened: list[LinkWords] = []
    try:
        own = _own_file(name)
        readers: Mapping[str, Reader] = getattr(own, "WORDS", {})
        while words:
            part = _read_word(session, kind, readers, words, data)
            if part is not None:
                opened.append(part)
        if own is not None and hasattr(own, "complete"):
            own.complete(data, creating)
    except BaseException:
        for part in opened:
            part.close()
        raise
    return {**info, **({"slave_data" if port else "data": data} if data else {})}, opened


def _read_word(
    session: Session, kind: Kind, readers: Mapping[str, Reader], words: Words, data: Values
) -> LinkWords | None:
    options = [
        option for option in kind.options.values() if not (option.told or isinstance(option.codec, Bits))
    ]
    rows = {word: option for option in options for word in _words(option)}
    known = (*rows, *readers)
    word = words.next()
    name = word if word in known else next((name for name in known if matches(word, name)), None)
    if name is None:
        if matches(word, "help"):
            raise CommandError(f"Usage: ... type {kind.name} [ {' | '.join(known)} ]...")
        raise CommandError(f'{kind.name}: unknown command "{word}"?')
    if name in readers:
        return readers[name](session, words, data)
    option = rows[name]
    value = _value(session, option, name, words)
    if option.bits:
        kind.set_bit(data, option, bool(value))
    else:
        data[option.name] = value
    return None


def _words(option: Option) -> list[str]:
    words = option.word.split()
    return [*words, *(f"no{word}" for word in words)] if option.words is WITH_NO else words


def _value(session: Session, option: Option, name: str, words: Words) -> Any:
    codec = option.codec
    if isinstance(codec, Flag):
        return True
    if option.words is WITH_NO:
        return int(name in option.word.split())
    if option.words is ON_OFF:
        return int(on_off_of(words, name, 1))
    if isinstance(codec, Pairs):
        return read_pairs(words, name)
    text = words.next()
    if option.words is not None:
        return read_named(text, option.words, name)
    if codec is IFINDEX:
        link = session.find(text)
        if link is None:
            raise CommandError(f'Cannot find device "{text}"', 255, final=True)
        return link["ifi_index"]
    if isinstance(codec, Sized):
        return lladdr(text) if codec is MAC else address(text)
    return number(text, f"invalid {name}", option.high, low=option.low)


def read_named(text: str, names: Mapping[str, int], name: str) -> int:
    """Return the number of a name, in upper or lower case."""
    for one, value in names.items():
        if one.lower() == text.lower():
            return value
    raise wrong(text, f"invalid {name}")


def read_pairs(words: Words, name: str) -> dict[int, int]:
    """FROM:TO, as many as there are."""
    pairs: dict[int, int] = {}
    while ":" in words.peek():
        first, _, second = words.next().partition(":")
        pairs[number(first, f"invalid {name}")] = number(second, f"invalid {name}")
    return pairs


# -- shown
# --------------------------------------------------------------------------------------------------------


def kind_fields(session: Session, info: Values) -> Iterator[Field]:
    """Yield the fields of IFLA_LINKINFO: the kind with its options, and those of the link as a port."""
    told: dict[str, Any] = {}
    text = ""
    for prefix, name in (("", info.get("kind")), ("slave_", info.get("slave_kind"))):
        if name is None:
            continue
        shown = f"{name}_slave" if prefix else name
        told[f"info_{prefix}kind"] = name
        text += f"{session.newline}    {shown} "
        kind, data = find_kind(shown), info.get(f"{prefix}data")
        if kind is None and data:
            complain(f"netlinkpy does not show the options of kind {shown} yet.")
        elif kind is not None and kind.shown:
            fields = list(_option_fields(session, kind, data or {}))
            told[f"info_{prefix}data"] = {key: value for key, value, _ in fields if key is not None}
            text += "".join([part for _, _, part in fields])
    yield "linkinfo", told, text


def _option_fields(session: Session, kind: Kind, data: Values) -> Iterator[Field]:
    own: Mapping[str, Shower] = getattr(_own_file(kind.name), "SHOWN", {})
    for name in kind.shown:
        option = kind.options[name]
        if name in own:
            if name in data:
                yield from own[name](session, option, data)
        elif option.bits:
            on = kind.bit(data, option)
            if on is not None:
                yield _field(session, option, int(on))
        elif isinstance(option.codec, Bits):
            if name in data:
                yield _set_bits(kind, option, data[name])
        elif name in data:
            yield _field(session, option, data[name])


def _field(session: Session, option: Option, value: Any) -> Field:
    word, codec = option.word.partition(" ")[0], option.codec
    if option.words is WITH_NO:
        return option.key, bool(value), f"{'' if value else 'no'}{word} "
    if option.words is ON_OFF:
        return option.key, bool(value), f"{word} {'on' if value else 'off'} "
    if isinstance(codec, Pairs):
        pairs = [{"from": first, "to": second} for first, second in value.items()]
        text = "".join([f"{first}:{second} " for first, second in value.items()])
        return option.key, pairs, f"{session.newline}      {word} {{ {text}}} "
    if option.words is not None:
        value = next((name for name, number in option.words.items() if number == value), f"[{value}]")
    elif codec is IFINDEX:
        value = session.name(value)
    elif isinstance(codec, Sized):
        value = value.hex(":") if codec is MAC else format_ip(value)
    return option.key, value, f"{word} {value} "


def _set_bits(kind: Kind, option: Option, value: Mapping[str, int]) -> Field:
    bits = next(iter(value.values()))
    names = []
    for one in kind.options.values():
        if one.bits == option.name and bits >> one.number & 1:
            names.append(one.name.upper())
            bits &= ~(1 << one.number)
    if bits:
        names.append(f"{bits:x}")
    return option.key, names, f"<{','.join(names)}> "


def _own_file(name: str) -> ModuleType | None:
    """Return the file of a kind whose words or showing are irregular; name: one that find_kind() knows."""
    try:
        return __import__(f"{__package__}.kinds.{name}", fromlist=["WORDS"])
    except ModuleNotFoundError as error:
        if error.name != f"{__package__}.kinds.{name}":
            raise
        return None
