"""The chart of `quota.py`: accepted and settled mappings over time for each contender, with the floor drawn in.

    python benchmarks/chart.py

Reads results/quota-timeline.json (the largest size of the last run of quota.py) and writes results/quota.svg. The same
data make the same bytes: fixed ids, no date.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from records import RESULTS

TIMELINE = "quota-timeline.json"
_OURS = ("#0b5394", "#3d9ad6")
_OTHERS = ("#b45f06", "#e69138", "#38761d", "#6aa84f", "#741b47", "#c27ba0", "#666666", "#999999")


def draw(data: dict[str, Any], path: Path) -> None:
    """Draw the two panels: what was accepted by when, and what had settled."""
    import matplotlib as mpl  # noqa: PLC0415 - quota.py needs only the file's name

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "bulk_esm", "svg.fonttype": "none", "font.size": 9})
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the backend is chosen

    size, per_s = data["size"], data["quota_per_s"]
    figure, panels = plt.subplots(1, 2, figsize=(11, 4.2), sharey=True, layout="constrained")
    colours = _colours([curve["contender"] for curve in data["curves"]])
    latest = max([size / per_s, *(curve["ended"] for curve in data["curves"])])
    for panel, what in zip(panels, ("accepted", "settled"), strict=True):
        floor = [size / per_s * step / 200 for step in range(1, 201)]
        panel.plot(
            floor, [at * per_s for at in floor], color="black", linewidth=1, linestyle=":", label="floor: the quota"
        )
        for curve in data["curves"]:
            name = curve["contender"]
            times, counts = [at for at, _ in curve[what]], [count for _, count in curve[what]]
            times.append(curve["ended"])  # flat to its end: what it waits for, and what it lost
            counts.append(counts[-1] if counts else 0)
            ours = name.startswith("bulk_esm")
            panel.plot(
                times, counts, color=colours[name], linewidth=2.2 if ours else 1.1, label=name, zorder=3 if ours else 2
            )
            panel.plot(times[-1:], counts[-1:], color=colours[name], marker="|", markersize=9, zorder=3)
        panel.set(xscale="log", xlim=(max(0.05, size / per_s / 50), latest * 1.15), ylim=(0, size * 1.04))
        panel.set(title=f"mappings {what}", xlabel="seconds since the first request (log); | is the process's end")
        panel.grid(visible=True, which="major", color="#dddddd", linewidth=0.5)
        panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        panel.spines[["top", "right"]].set_visible(False)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False)
    figure.suptitle(
        f"Pausing {size:,} mappings at {per_s:g} requests/s (Lambda's quota, {data['speed']:g} times as fast)"
    )
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    # matplotlib ends some lines with a space
    path.write_text("\n".join(line.rstrip() for line in path.read_text().splitlines()) + "\n")


def _colours(names: list[str]) -> dict[str, str]:
    ours = [name for name in names if name.startswith("bulk_esm")]
    others = [name for name in names if name not in ours]
    return {
        **{name: _OURS[index % len(_OURS)] for index, name in enumerate(ours)},
        **{name: _OTHERS[index % len(_OTHERS)] for index, name in enumerate(others)},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=RESULTS / TIMELINE)
    parser.add_argument("--svg", type=Path, default=RESULTS / "quota.svg")
    options = parser.parse_args()
    draw(json.loads(options.data.read_text()), options.svg)
    print(options.svg)


if __name__ == "__main__":
    main()
