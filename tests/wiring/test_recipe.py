"""docs/recipe.md describes the recipe as it is."""

from __future__ import annotations

from pathlib import Path

from netlinkpy.wiring.recipe import BRIDGE, INSIDE, RECIPE, Barrier, Step

PAGE = Path(__file__).parents[2] / "docs" / "recipe.md"


def test_the_page_tells_the_steps_in_their_order() -> None:
    table = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")][1:]
    told = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    wanted = []
    for place in RECIPE:
        if isinstance(place, Step):
            many = {INSIDE: "one program each", BRIDGE: "once"}.get(place.where, place.many)
            wanted.append([place.name, place.where, many])
        else:
            wanted.append([f"**{place.name}**", "", ""])
    assert [row[:3] for row in told] == wanted
    for place, row in zip(RECIPE, told, strict=True):
        if isinstance(place, Barrier):
            assert all(hook in row[3] for hook in place.hooks)
