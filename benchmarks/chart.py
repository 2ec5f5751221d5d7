"""The report of compare.py (JSON on standard input) as a chart, one panel for each figure: chart.py
FILE.svg."""

from __future__ import annotations

import json
import sys
from typing import Any

import matplotlib  # type: ignore[import-not-found]

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "netlinkpy"  # the same figures make the same file
from matplotlib import pyplot  # noqa: E402

SCALES = {"ms": 1e3, "us": 1e6}
FLOOR_COLOUR, OUR_COLOUR, PEER_COLOUR = "#8a8f98", "#2563a8", "#d9a05b"


def panels(report: dict[str, Any]) -> list[tuple[str, str, list[tuple[str, float]]]]:
    """Return (title, unit, [(contender, figure)]) for each figure that a rival has too."""
    found = []
    for row in report["rows"]:
        for figure, unit in row["units"].items():
            if unit not in SCALES:
                continue
            bars = [
                (name_of(row, line), line["figures"][figure] * SCALES[unit])
                for line in row["lines"]
                if figure in line["figures"]
            ]
            if len(bars) > 1:
                title = row["title"] if len(row["units"]) == 1 else f"{row['title']}: {figure}"
                found.append((title, unit, bars))
    return found


def name_of(row: dict[str, Any], line: dict[str, Any]) -> str:
    usual = row["lines"][0]
    same = (line["task"], line["count"]) == (usual["task"], usual["count"])
    return line["contender"] if same else f"{line['contender']}, {line['task']} {line['count']}"


def colour(name: str) -> str:
    if name.startswith("floor"):
        return FLOOR_COLOUR
    return OUR_COLOUR if name.startswith(("netlinkpy", "replayed")) else PEER_COLOUR


def draw(report: dict[str, Any], target: str) -> None:
    every = panels(report)
    heights = [len(bars) + 1.6 for _, _, bars in every]
    figure, axes = pyplot.subplots(
        len(every),
        1,
        figsize=(9, 0.26 * sum(heights)),
        height_ratios=heights,
        layout="constrained",
        squeeze=False,
    )
    for axis, (title, unit, bars) in zip(axes[:, 0], every, strict=True):
        names = [name for name, _ in bars]
        drawn = axis.barh(
            range(len(bars)), [value for _, value in bars], color=[colour(name) for name in names]
        )
        axis.bar_label(drawn, [f"{value:.3g} {unit}" for _, value in bars], padding=3, fontsize=8)
        axis.set_yticks(range(len(bars)), names, fontsize=8)
        axis.margins(x=0.15)
        axis.invert_yaxis()
        axis.set_xticks([])
        axis.spines[["top", "right", "bottom"]].set_visible(False)
        axis.set_title(f"{title} ({unit} each)", loc="left", fontsize=9)
    machine = report["machine"]
    figure.suptitle(
        f"Linux {machine['kernel']}, {machine['cpus']} CPUs, Python {machine['python']}; "
        f"medians of {report['rounds']} rounds in turns",
        fontsize=9,
    )
    figure.savefig(target, format="svg", metadata={"Date": None})


if __name__ == "__main__":
    draw(json.load(sys.stdin), sys.argv[1])
