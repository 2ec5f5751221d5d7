"""The picture as an SVG that needs nothing to be viewed: no script, no font, no other file.

Each network is a bar, with rails below it like a comb: a card for each container hangs from them. All of it
stands in a grid, so that one container or two hundred stay legible."""

from __future__ import annotations

from . import cards as content
from . import wording
from .cards import Card, Section

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .model import Host

_CARD, _GAP, _PAD = 226, 16, 12  # widths in px: of a card, between two, inside one
_MARGIN = 28  # around the host, and inside its frame
_SPINE = 16  # how far the comb's back stands from the left
_DROP = 34  # from a rail down to its cards
_LINE = 16  # from one line of text to the next
_MONO, _SANS = 6.7, 7.6  # px a letter takes in the fonts below, at most
_SPARE = 4  # between the lines of a card and its published ports
_CHIPS = 48  # interfaces, or containers that are not wired, that are shown

# It has a background of its own, so it is legible on any page; the second half is for dark pages.
_STYLE = """
text { font-family: system-ui, "Segoe UI", "Helvetica Neue", "DejaVu Sans", Arial, sans-serif; font-size: 12px; fill: #1f2937 }
.mono { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: 11px }
.name { font-size: 22px; font-weight: 600 } .title { font-size: 13px; font-weight: 600 }
.soft { fill: #6b7280 } .ground { fill: #ffffff } .host { fill: #f8fafc; stroke: #cbd5e1 }
.bar { fill: #dbeafe; stroke: #3b82f6 } .card { fill: #ffffff; stroke: #94a3b8 }
.outside { stroke-dasharray: 5 3 } .wire { stroke: #3b82f6; stroke-width: 1.5; fill: none }
.good { fill: #16a34a } .bad { fill: #b91c1c } .trouble { stroke: #b91c1c }
.pill { fill: #dcfce7; stroke: #16a34a } .mark { fill: #fef3c7; stroke: #d97706 } .chip { fill: #f1f5f9; stroke: #94a3b8 }
@media (prefers-color-scheme: dark) {
text { fill: #e5e7eb } .soft { fill: #9ca3af } .ground { fill: #0b1120 } .host { fill: #111827; stroke: #475569 }
.bar { fill: #1e3a5f; stroke: #60a5fa } .card { fill: #1f2937; stroke: #64748b } .wire { stroke: #60a5fa }
.good { fill: #4ade80 } .bad { fill: #f87171 } .trouble { stroke: #f87171 }
.pill { fill: #14412a; stroke: #4ade80 } .mark { fill: #4a3410; stroke: #fbbf24 } .chip { fill: #1e293b; stroke: #64748b }
}
"""  # noqa: E501


def draw(host: Host) -> str:
    """Return the whole document."""
    sections = content.sections(host)
    columns = _columns(max([len(section.cards) for section in sections], default=0))
    sheet = _Sheet(columns * (_CARD + _GAP) + _SPINE)
    sheet.heading(host)
    for section in sections:
        sheet.section(section, columns)
    sheet.unwired(host)
    sheet.astray(host)
    return sheet.document(f"{wording.printable(host.name)}: {content.summary(host)}")


def _columns(most: int) -> int:
    """Return how many cards stand side by side: the sheet is about as wide as it is high."""
    return max(3, min(most, 4 if most <= 12 else 6 if most <= 48 else 8))


class _Sheet:
    """What was drawn so far, and how far down that reaches."""

    def __init__(self, width: float) -> None:
        self._left = 2 * _MARGIN
        self._width = width
        self._y = 2.0 * _MARGIN
        self._parts: list[str] = []

    def document(self, title: str) -> str:
        """Return the SVG of what was drawn."""
        width, height = self._width + 4 * _MARGIN, self._y + 2 * _MARGIN
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}"'
            f' viewBox="0 0 {width:g} {height:g}" role="img">\n'
            f"<title>{_escaped(title)}</title>\n<style>{_STYLE}</style>\n"
            f'<rect class="ground" width="{width:g}" height="{height:g}"/>\n'
            + _rectangle("host", _MARGIN, _MARGIN, width - 2 * _MARGIN, height - 2 * _MARGIN, 14)
            + "".join(self._parts)
            + "</svg>\n"
        )

    def heading(self, host: Host) -> None:
        """Draw the host's name and numbers, and its interfaces that nothing is wired to."""
        self._add(_text("name", self._left, self._y + 14, wording.printable(host.name)))
        self._add(_text("soft", self._left, self._y + 36, content.summary(host)))
        self._y += 56
        chips = []
        for port in content.loose(host):
            facts = [*wording.facts(port.interface), *wording.troubles(port)]
            chips.append((" ".join([wording.interface(port), *facts]), ""))
        self._chips(chips)

    def section(self, section: Section, columns: int) -> None:
        """Draw a network: its bar, and its cards, which hang from rails."""
        top = self._y
        self._bar(section)
        if not section.cards:
            self._add(_text("soft", self._left + _SPINE, self._y + 20, "nothing is wired to it"))
            self._y += 20
        spine, rail = self._left + _SPINE, self._y
        for start in range(0, len(section.cards), columns):
            row = section.cards[start : start + columns]
            rail = self._y + 14
            last = spine + (len(row) - 1) * (_CARD + _GAP) + _GAP + _CARD / 2
            self._add(_path(f"M{spine:g} {rail:g}H{last:g}"))
            height = max(map(_height, row))
            for position, card in enumerate(row):
                self._card(card, spine + _GAP + position * (_CARD + _GAP), rail, height)
            self._y = rail + _DROP + height
        if section.cards:
            self._add(_path(f"M{spine:g} {top + 42:g}V{rail:g}"))
        self._y += 32

    def unwired(self, host: Host) -> None:
        """Draw the containers without a wire to here."""
        if host.unwired:
            self._add(_text("title", self._left, self._y + 8, wording.UNWIRED))
            self._y += 20
            told = [
                (wording.title(one), f"{content.tag(one)} {content.process(one)}") for one in host.unwired
            ]
            self._chips(told)

    def astray(self, host: Host) -> None:
        """Draw the published ports that lead nowhere."""
        if host.astray:
            self._add(_text("title bad", self._left, self._y + 8, wording.ASTRAY))
            self._y += 20
            self._chips([(wording.leads(one, whole=True), "") for one in host.astray])

    def _add(self, part: str) -> None:
        self._parts.append(part)

    def _bar(self, section: Section) -> None:
        x, y = self._left, self._y
        self._add(_rectangle("bar", x, y, self._width, 42, 8))
        self._add(_text("title", x + 14, y + 26, section.title))
        marks_at = x + self._width - 10
        for mark in reversed(section.marks):
            wide = len(mark) * _SANS + 22
            marks_at -= wide
            self._add(_rectangle("mark", marks_at, y + 10, wide - 6, 22, 11))
            self._add(_text("", marks_at + (wide - 6) / 2, y + 25, mark, middle=True))
        facts_at = x + 14 + len(section.title) * (_SANS + 1) + 14
        room = int((marks_at - facts_at) / _MONO)
        self._add(_text("mono", facts_at, y + 26, wording.clipped("   ".join(section.facts), max(room, 1))))
        self._y += 42

    def _card(self, card: Card, x: float, rail: float, height: float) -> None:
        top, middle = rail + _DROP, x + _CARD / 2
        self._add(f"<g><title>{_escaped(card.whole or card.title)}</title>\n")
        self._add(_path(f"M{middle:g} {rail:g}V{top:g}"))
        self._add(_text("mono soft", middle + 7, rail + 15, card.wire))
        classes = "card" + (" outside" if card.outside else "") + (" trouble" if card.troubles else "")
        self._add(_rectangle(classes, x, top, _CARD, height, 8))
        state = "bad" if card.troubles else "good"
        self._add(f'<circle class="{state}" cx="{middle:g}" cy="{top:g}" r="4"/>\n')
        room = _CARD - 2 * _PAD - len(card.tag) * _MONO
        y = top + _PAD + 10
        self._add(_text("title", x + _PAD, y, wording.clipped(card.title, int(room / _SANS))))
        self._add(_text("mono soft", x + _CARD - _PAD, y, card.tag, end=True))
        for classes, line in _lines(card):
            y += _LINE
            self._add(_text(classes, x + _PAD, y, wording.clipped(line, int((_CARD - 2 * _PAD) / _MONO))))
        y += _SPARE
        for published in card.published:
            y += _LINE + 4
            shown = wording.clipped(published, int((_CARD - 2 * _PAD - 14) / _MONO))
            self._add(_rectangle("pill", x + _PAD, y - 13, len(shown) * _MONO + 14, 18, 9))
            self._add(_text("mono", x + _PAD + 7, y, shown))
        self._add("</g>\n")

    def _chips(self, chips: list[tuple[str, str]]) -> None:
        """Draw small boxes side by side, as many in a row as fit."""
        x = float(self._left)
        shown = chips[:_CHIPS]
        if len(chips) > _CHIPS:
            shown.append((f"and {len(chips) - _CHIPS} more", ""))
        for bold, rest in shown:
            bold, rest = wording.clipped(bold, 80), wording.clipped(rest.strip(), 40)
            wide = (len(bold) + len(rest) + bool(rest)) * _MONO + 20
            if x > self._left and x + wide > self._left + self._width:
                x, self._y = float(self._left), self._y + 30
            self._add(_rectangle("chip", x, self._y, wide, 24, 6))
            self._add(_text("mono", x + 10, self._y + 16, bold))
            self._add(_text("mono soft", x + 10 + (len(bold) + 1) * _MONO, self._y + 16, rest))
            x += wide + 8
        if shown:
            self._y += 24 + 20


def _lines(card: Card) -> list[tuple[str, str]]:
    """Return (classes, text) of the lines of a card below its title."""
    found = [("mono soft", card.process)] if card.process else []
    found += [("mono", line) for line in card.lines]
    return [*found, ("mono bad", ", ".join(card.troubles))] if card.troubles else found


def _height(card: Card) -> float:
    lines = 2 * _PAD + 14 + len(_lines(card)) * _LINE
    return lines + _SPARE + len(card.published) * (_LINE + 4) if card.published else lines


def _rectangle(classes: str, x: float, y: float, width: float, height: float, round: float) -> str:
    size = f'width="{width:g}" height="{height:g}" rx="{round:g}"'
    return f'<rect class="{classes}" x="{x:g}" y="{y:g}" {size}/>\n'


def _path(steps: str) -> str:
    return f'<path class="wire" d="{steps}"/>\n'


def _text(classes: str, x: float, y: float, text: str, *, middle: bool = False, end: bool = False) -> str:
    if not text:
        return ""
    anchor = ' text-anchor="middle"' if middle else ' text-anchor="end"' if end else ""
    named = f' class="{classes}"' if classes else ""
    return f'<text{named} x="{x:g}" y="{y:g}"{anchor} xml:space="preserve">{_escaped(text)}</text>\n'


def _escaped(text: str) -> str:
    """Return text for XML, which cannot express control characters (XML 1.0, 2.2)."""
    lines = [wording.printable(line) for line in text.split("\n")]
    return "\n".join(lines).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
