"""The plots of an evaluation, as PNG files. They need only the metrics, not the model."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.evaluation.metrics import Metrics

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The Okabe-Ito palette, which is safe for color-blind readers.
BLUE, ORANGE, GREEN, RED, GREY, INK = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#8A8A8A", "#222222"
DOTS_PER_INCH = 144
WIDTH = 8.0
WORST = 20
LONGEST_LABEL = 28
HEAD, TAIL = 16, 11
"""Characters that remain at the start and the end of a longer label: labels usually differ at either end."""
CELL_INCHES = 0.36
FONTS = (
    "DejaVu Sans",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "PingFang SC",
    "Hiragino Sans",
    "Microsoft YaHei",
    "Arial Unicode MS",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
)


def draw_learning(learning: Metrics, output: str, path: Path) -> None:
    """Draw the loss and the main metric of an output by epoch, and mark the epoch whose weights are used.

    Args:
        learning: Learning curves (see `metrics.py`).
        output: Name of the output feature.
        path: PNG file to write.
    """
    parts = {part: found for part in ("training", "validation") if (found := learning["outputs"][output].get(part))}
    names = sorted({name for found in parts.values() for name in found}, key=lambda name: (name != "loss", name))
    with drawing_style():
        figure = new_figure(WIDTH, 3.4)
        for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
            for (part, found), color in zip(parts.items(), (BLUE, ORANGE), strict=False):
                if values := found.get(name):
                    axes.plot(range(1, len(values) + 1), values, color=color, marker="o", markersize=3.5, label=part)
            axes.axvline(learning["best_epoch"], color=GREEN, linestyle=":", label="best epoch (used)")
            axes.set_title(name.replace("_", " "))
            axes.set_xlabel("epoch")
            axes.xaxis.get_major_locator().set_params(integer=True)
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=3)
        save_figure(figure, path)


def draw_labels(scores: Mapping[str, Metrics], path: Path) -> None:
    """Draw precision and recall of the weakest labels or entities, with the number of rows of each.

    Args:
        scores: Rows, precision, recall and F1, by label or entity.
        path: PNG file to write.
    """
    labels = worst(scores)
    names = label_names(scores)
    with drawing_style():
        figure = new_figure(WIDTH, 1.4 + CELL_INCHES * len(labels))
        axes = figure.subplots()
        positions = range(len(labels))
        for offset, color, name in ((-0.19, BLUE, "precision"), (0.19, ORANGE, "recall")):
            values = [scores[label][name] for label in labels]
            axes.barh([index + offset for index in positions], values, height=0.36, color=color, label=name)
        axes.set_yticks(positions, [f"{names[label]}  ({scores[label]['rows']})" for label in labels], parse_math=False)
        axes.set_ylim(len(labels) - 0.4, -0.6)
        axes.set_xlim(0, 1)
        axes.set_xlabel("1 is perfect; number of rows in parentheses")
        axes.grid(axis="y", visible=False)
        figure.legend(loc="outside upper right", ncols=2)
        save_figure(figure, path)


def draw_confusion(metrics: Metrics, path: Path) -> None:
    """Draw the confusion matrix of the weakest labels; all other labels share one column.

    Args:
        metrics: Metrics of a category (see `metrics.py`).
        path: PNG file to write.
    """
    import numpy as np

    labels = worst(metrics["labels"])
    index = {label: number for number, label in enumerate(labels)}
    others = len(metrics["labels"]) > len(labels)
    counts = np.zeros((len(labels), len(labels) + others), dtype=int)
    for label in labels:
        counts[index[label], index[label]] = metrics["labels"][label]["right"]
    for pair in metrics["confusions"]:
        if pair["expected"] in index:
            counts[index[pair["expected"]], index.get(pair["predicted"], len(labels))] += pair["rows"]
    names = label_names(metrics["labels"])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    with drawing_style():
        figure = new_figure(WIDTH, min(2.6 + CELL_INCHES * len(labels), 10.5))
        axes = figure.subplots()
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for row, column in np.argwhere(counts).tolist():
            color = "white" if shares[row, column] > 0.55 else INK
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=color, fontsize=8)
        across = [names[label] for label in labels] + ["all others"] * others
        axes.set_xticks(range(len(across)), across, rotation=45, ha="right", rotation_mode="anchor", parse_math=False)
        axes.set_yticks(range(len(labels)), [names[label] for label in labels], parse_math=False)
        axes.set_xlabel("predicted")
        axes.set_ylabel("expected")
        axes.grid(visible=False)
        save_figure(figure, path)


def draw_reliability(calibration: Metrics, path: Path) -> None:
    """Draw a reliability diagram: the accuracy in each confidence bin, above the number of rows in it.

    Args:
        calibration: Calibration of a category (see `metrics.py`).
        path: PNG file to write.
    """
    with drawing_style():
        figure = new_figure(WIDTH * 0.62, 4.6)
        top, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        bins = calibration["bins"]
        centers = [(found["from"] + found["to"]) / 2 for found in bins]
        width = bins[0]["to"] - bins[0]["from"]
        top.bar(centers, [found["accuracy"] for found in bins], width=width * 0.92, color=BLUE, label="this model")
        top.plot([0, 1], [0, 1], color=RED, linestyle="--", label="perfect calibration")
        top.set_ylabel("accuracy")
        top.set_ylim(0, 1.02)
        below.bar(centers, [found["rows"] for found in bins], width=width * 0.92, color=GREY)
        below.set_ylabel("rows")
        below.set_xlabel("confidence")
        below.set_xlim(0, 1)
        figure.legend(loc="outside upper left", ncols=2)
        save_figure(figure, path)


def draw_coverage(curve: Sequence[Metrics], threshold: float | None, path: Path) -> None:
    """Draw coverage and accuracy as functions of the confidence threshold.

    Args:
        curve: Points of the coverage curve (see `metrics.py`).
        threshold: The fitted threshold to mark, if there is one.
        path: PNG file to write.
    """
    with drawing_style():
        figure = new_figure(WIDTH * 0.8, 3.8)
        axes = figure.subplots()
        across = [point["threshold"] for point in curve]
        axes.plot(across, [point["coverage"] for point in curve], color=BLUE, label="coverage: rows that get an answer")
        right = [point for point in curve if point["accuracy"] is not None]
        axes.plot(
            [point["threshold"] for point in right],
            [point["accuracy"] for point in right],
            color=ORANGE,
            linestyle="-.",
            label="accuracy of those answers",
        )
        if "refused" in curve[0]:
            refused = [point["refused"] for point in curve]
            axes.plot(across, refused, color=GREEN, linestyle="--", label="out-of-scope rows rejected")
        if threshold is not None:
            axes.axvline(threshold, color=RED, linestyle=":", label=f"fitted threshold: {threshold:.2f}")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.02)
        axes.set_xlabel("confidence threshold")
        axes.set_ylabel("fraction")
        figure.legend(loc="outside upper left", ncols=2)
        save_figure(figure, path)


def worst(scores: Mapping[str, Metrics]) -> list[str]:
    """Return the labels with the lowest F1 among those that have rows, the lowest first."""
    found = [label for label in scores if scores[label]["rows"]]
    return sorted(found, key=lambda label: (scores[label]["f1"], -scores[label]["rows"]))[:WORST]


def label_names(labels: Mapping[str, Any]) -> dict[str, str]:
    """Return the name of each label in the plots: shortened, or its number if no installed font can draw it."""
    names = {}
    for number, label in enumerate(labels, start=1):
        name = " ".join(label.split())
        name = name if len(name) <= LONGEST_LABEL else f"{name[:HEAD]}…{name[-TAIL:]}"
        names[label] = name if can_draw(label) else f"no. {number}"
    return names


def can_draw(label: str) -> bool:
    """Return whether the installed fonts can draw a label."""
    characters = set("".join(label.split()))
    return bool(characters) and characters <= _drawable()


@cache
def _fonts() -> list[str]:
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    return [name for name in FONTS if name in installed]


@cache
def _drawable() -> frozenset[str]:
    """Return the characters that the installed fonts can draw."""
    from matplotlib.font_manager import FontProperties, findfont
    from matplotlib.ft2font import FT2Font

    maps = (FT2Font(findfont(FontProperties(family=[name]))).get_charmap() for name in _fonts())
    return frozenset(chr(code) for codes in maps for code in codes)


def drawing_style() -> Any:
    """Return a context in which all plots look alike."""
    from matplotlib import rc_context

    return rc_context(
        {
            "font.family": _fonts(),
            "font.size": 9.5,
            "axes.edgecolor": GREY,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.titlesize": 10.5,
            "grid.color": "#E4E4E4",
            "legend.frameon": False,
            "text.color": INK,
            "axes.labelcolor": INK,
        }
    )


def new_figure(width: float, height: float) -> "Figure":
    """Return an empty figure; its size is in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained")


def save_figure(figure: "Figure", path: Path) -> None:
    """Write a figure as a PNG file, without metadata."""
    figure.savefig(path, format="png", metadata={"Software": None})
