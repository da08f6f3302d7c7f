#!/usr/bin/env python3
"""Draws what live.py recorded as one picture a dashboard, laid out as there: a look at queries, units and legends
without a Grafana. It is not Grafana, and says so on every picture. Needs matplotlib.

    render.py RECORD FOLDER"""

import json
import pathlib
import re
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.gridspec import GridSpec
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

SCALES = {"s": [(86400, " d"), (3600, " h"), (60, " min"), (1, " s"), (1e-3, " ms"), (1e-6, " µs")], "bytes": [(2**30, " GiB"), (2**20, " MiB"), (2**10, " KiB"), (1, " B")]}
ENDS = {"reqps": " req/s", "cps": "/s", "eps": "/s"}


def shown(value, unit):
    if value != value:
        return "no value"
    if unit == "percentunit":
        return f"{value * 100:.4g} %"
    if unit == "bool_yes_no":
        return "Yes" if value else "No"
    for size, name in SCALES.get(unit, []):
        if abs(value) >= size:
            return f"{value / size:.3g}{name}"
    return f"{value:.4g}{ENDS.get(unit, '')}"


def legend(text, labels):
    return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), text).strip()


def draw(axes, panel, answers):
    unit, kind = panel["fieldConfig"]["defaults"].get("unit", "none"), panel["type"]
    axes.set_title(panel["title"], loc="left", fontsize=9, fontweight="bold")
    lines = [(legend(target["legendFormat"], series["metric"]), series) for target, result in answers for series in result]
    if not lines:
        axes.axis("off")
        axes.text(0.5, 0.5, "needs metrics of others" if not answers else "No data", ha="center", va="center", color="grey")
    elif kind == "stat":
        axes.axis("off")
        value = float(lines[0][1]["values"][-1][1])
        steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        color = [step["color"] for step in steps if step["value"] is None or value >= step["value"]][-1]
        axes.text(0.5, 0.45, shown(value, unit), ha="center", va="center", fontsize=20, color="black" if color == "text" else color)
    elif kind == "table":
        axes.axis("off")
        names = panel["transformations"][0]["options"]["include"]["names"]
        cells = [[series["metric"].get(name, "")[:30] for name in names] for _, series in lines[:10]]
        made = axes.table(cells, colLabels=names, loc="upper left", cellLoc="left")
        made.auto_set_font_size(False)
        made.set_fontsize(7)
    else:
        begin = min(float(series["values"][0][0]) for _, series in lines)
        drawn = [(name, [float(t) - begin for t, _ in series["values"]], [float(v) for _, v in series["values"]]) for name, series in lines]
        if panel["fieldConfig"]["defaults"]["custom"].get("stacking"):
            times = sorted({t for _, ts, _ in drawn for t in ts})
            filled = [[dict(zip(ts, vs)).get(t, 0.0) for t in times] for _, ts, vs in drawn]
            axes.stackplot(times, filled, labels=[name for name, _, _ in drawn], alpha=0.7)
        else:
            for name, times, values in drawn:
                axes.plot(times, values, label=name, linewidth=1)
        if "scaleDistribution" in panel["fieldConfig"]["defaults"]["custom"]:
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_minor_locator(NullLocator())
        elif "min" in panel["fieldConfig"]["defaults"]:
            axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: shown(value, unit) if value else "0"))
        axes.tick_params(labelsize=7)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=6, ncol=4, loc="upper center", bbox_to_anchor=(0.5, -0.1), frameon=False)


def main(record, folder):
    answers = {}
    for entry in json.loads(pathlib.Path(record).read_text()):
        answers.setdefault((entry["board"], entry["panel"]["title"]), []).append((entry["target"], entry["result"]))
    for file in sorted((pathlib.Path(__file__).parent / "dashboards").glob("*.json")):
        board = json.loads(file.read_text())
        high = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
        figure = plt.figure(figsize=(17, high * 0.42))
        grid = GridSpec(high, 24, figure=figure, hspace=3.2, wspace=5, left=0.05, right=0.98, top=0.965, bottom=0.02)
        figure.suptitle(f"{board['title']}   (drawn by render.py of Prometheus's answers; not Grafana)", fontsize=12)
        for panel in board["panels"]:
            at = panel["gridPos"]
            rows = slice(at["y"], at["y"] + at["h"] - (1 if at["h"] > 4 else 0))
            axes = figure.add_subplot(grid[rows, at["x"] : at["x"] + at["w"]])
            if panel["type"] == "row":
                axes.axis("off")
                axes.text(0, 0.5, panel["title"], fontsize=11, color="dimgrey")
            else:
                draw(axes, panel, answers.get((board["title"], panel["title"]), []))
        target = pathlib.Path(folder) / f"{file.stem}.png"
        figure.savefig(target, dpi=70)
        print(target)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
