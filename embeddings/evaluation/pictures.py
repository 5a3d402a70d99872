"""Draws a report's charts and thumbnails. matplotlib's object interface alone: a worker's threads share no figure."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray
from PIL import Image, ImageOps

from embeddings.evaluation.calibration import Reliability

WIDTH, WIDE = 4.2, 6.0
DPI = 144
INK = "#22252b"
# Another value than INK, which the dark theme turns.
ON_WHITE = "#22252c"
INK_IN_THE_DARK = "#e4e6ea"
ACCENTS = ("#3b76d6", "#e08a1e", "#8a93a3")
RIGHT, WRONG = "#2f9e5b", "#d64545"
THUMBNAIL = 128
BORDER = 5
MAX_NAME = 36


@dataclass(frozen=True)
class Chart:
    """svg: follows the reader's light or dark theme. png: on white."""

    svg: bytes
    png: bytes


def learning_curve(
    epochs: Sequence[int],
    losses: Sequence[float | None],
    scores: Sequence[float | None],
    parts: Mapping[str, Sequence[float | None]],
) -> Chart:
    """The loss of each epoch, the losses by name that it is made of, and the validation mAP in [0, 1]; None: not measured."""
    panels = [
        ("loss", ACCENTS[1], losses),
        *((f"{_drawable(name)} loss", ACCENTS[1], values) for name, values in parts.items()),
        ("validation mAP", ACCENTS[0], scores),
    ]
    drawn = [
        (title, colour, [(epoch, value) for epoch, value in zip(epochs, values, strict=True) if value is not None])
        for title, colour, values in panels
    ]
    drawn = [panel for panel in drawn if panel[2]]
    figure = _figure(0.8 + 1.5 * len(drawn))
    for number, (title, colour, points) in enumerate(drawn, start=1):
        axes = figure.add_subplot(len(drawn), 1, number)
        axes.plot(*zip(*points, strict=True), color=colour, marker="o", markersize=3, linewidth=1.5)
        axes.set_ylabel(title, parse_math=False)
        axes.set_xlim(min(epochs) - 0.5, max(epochs) + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.15, color=INK)
        _plain(axes)
    if drawn:
        axes.set_xlabel("epoch")
    return _chart(figure)


def bars(names: Sequence[str], series: Sequence[tuple[str, Sequence[float]]]) -> bytes:
    """A PNG with a group of bars in [0, 1] for each name, from the top down; NaN is no bar."""
    places = np.arange(len(names))
    figure = _figure(1.1 + (0.12 + 0.13 * len(series)) * len(names), WIDE)
    axes = figure.add_subplot()
    height = 0.8 / len(series)
    swatches = []
    for number, ((_, values), colour) in enumerate(zip(series, ACCENTS, strict=False)):
        drawn = axes.barh(places + (number - (len(series) - 1) / 2) * height, values, height * 0.9, color=colour)
        axes.bar_label(drawn, ["" if math.isnan(value) else f"{value:.2f}" for value in values], padding=2, fontsize=7)
        swatches.append(Patch(color=colour))
    for text in axes.texts:
        text.set_color(INK)
    axes.set_yticks(places, [_drawable(name) for name in names], parse_math=False)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(0, 1.08)
    axes.set_xlabel("mAP")
    legend = figure.legend(swatches, ["-"] * len(series), loc="outside upper left", ncols=3, frameon=False)
    for text, (name, _) in zip(legend.get_texts(), series, strict=True):
        text.set(text=_drawable(name), parse_math=False, color=INK)
    _plain(axes)
    return _png(figure)


def confusion_matrix(names: Sequence[str], shares: NDArray[np.float64]) -> bytes:
    """A PNG. shares: float64 [c, c] in [0, 1]; a row is a class, a column what it was taken for."""
    side = max(WIDE, 1.6 + 0.29 * len(names))
    figure = _figure(side, side)
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.argwhere(shares >= 0.005):
        colour = "white" if shares[row, column] > 0.55 else INK
        axes.text(column, row, f"{shares[row, column]:.0%}"[:-1], ha="center", va="center", fontsize=7, color=colour)
    labels = [_drawable(name) for name in names]
    axes.set_xticks(range(len(names)), labels, rotation=90, parse_math=False)
    axes.set_yticks(range(len(names)), labels, parse_math=False)
    axes.set_xlabel("class of the nearest photo (%)")
    axes.set_ylabel("class of the query")
    _plain(axes)
    return _png(figure)


def scatter(points: NDArray[np.float64], classes: NDArray[np.int64], colours: Sequence[str]) -> Chart:
    """Each class in its colour, with its number at its median.

    Args:
        points: float64 [n, 2].
        classes: int64 [n], the place of each point's colour; -1 for grey.
        colours: as #rrggbb.

    Returns:
        The chart.
    """
    figure = _figure(WIDTH * 0.85)
    axes = figure.add_subplot()
    palette = np.asarray([*colours, ACCENTS[2]])
    order = np.random.default_rng(0).permutation(len(points))
    shades = palette[classes[order]].tolist()
    axes.scatter(points[order, 0], points[order, 1], s=9, c=shades, alpha=0.75, linewidths=0, rasterized=True)
    for number in range(len(colours)):
        across, up = np.median(points[classes == number], axis=0)
        box = {"boxstyle": "circle,pad=0.25", "facecolor": "white", "edgecolor": colours[number], "linewidth": 1.5}
        axes.text(across, up, str(number + 1), ha="center", va="center", fontsize=7, color=ON_WHITE, bbox=box)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlabel("first principal component")
    axes.set_ylabel("second principal component")
    _plain(axes)
    return _chart(figure)


def reliability_diagram(diagram: Reliability) -> Chart:
    """Predicted probability against observed frequency, above the number of pairs in each bin."""
    figure = _figure(WIDTH * 0.95)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    above.plot([0, 1], [0, 1], color=INK, alpha=0.4, linestyle="--", linewidth=1)
    above.plot(diagram.probabilities, diagram.frequencies, color=ACCENTS[0], marker="o", markersize=4, linewidth=1.5)
    above.set_xlim(0, 1)
    above.set_ylim(0, 1)
    above.set_ylabel("share of pairs of the same class")
    above.grid(alpha=0.15, color=INK)
    below.bar(diagram.probabilities, diagram.counts, width=0.04, color=ACCENTS[0])
    below.set_yscale("log")
    below.set_ylabel("pairs")
    below.set_xlabel("calibrated probability")
    for axes in (above, below):
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        _plain(axes)
    above.yaxis.set_major_formatter(PercentFormatter(1))
    return _chart(figure)


def class_colours(count: int) -> list[str]:
    """Up to 20 colours as #rrggbb: ten strong ones, then their pale companions."""
    palette = matplotlib.colormaps["tab20"]
    return [to_hex(palette(place)) for place in [*range(0, 20, 2), *range(1, 20, 2)][:count]]


def principal_components(embeddings: NDArray[np.float32]) -> tuple[NDArray[np.float64], float]:
    """The two directions of most variance (Pearson, Phil. Mag. 1901), by singular value decomposition.

    Args:
        embeddings: float32 [n, d].

    Returns:
        float64 [n, 2], zero where there is no second direction, and the share of the variance that they hold, in [0, 1].
    """
    centred = embeddings.astype(np.float64) - embeddings.mean(axis=0, dtype=np.float64)
    left, spread, directions = np.linalg.svd(centred, full_matrices=False)
    signs = np.sign(directions[np.arange(len(directions)), np.abs(directions).argmax(axis=1)])
    points = np.zeros((len(embeddings), 2))
    points[:, : len(spread)] = (left * spread * signs)[:, :2]
    return points, float((spread[:2] ** 2).sum() / max((spread**2).sum(), np.finfo(np.float64).tiny))


def thumbnail(photo: Image.Image) -> Image.Image:
    """The whole photo on a white square."""
    return ImageOps.pad(photo.convert("RGB"), (THUMBNAIL, THUMBNAIL), color="white")


def strip(query: Image.Image, answers: Sequence[tuple[Image.Image, bool]]) -> bytes:
    """One row of thumbnails as a JPEG: the query, then its answers, framed by whether they are right."""
    step = THUMBNAIL + 2 * BORDER
    row = Image.new("RGB", (step * (len(answers) + 1) + 3 * BORDER, step), "white")
    row.paste(query, (BORDER, BORDER))
    for number, (answer, right) in enumerate(answers, start=1):
        framed = ImageOps.expand(answer, BORDER - 1, RIGHT if right else WRONG)
        row.paste(framed, (number * step + 3 * BORDER, 1))
    return jpeg(row)


def jpeg(image: Image.Image) -> bytes:
    """As a JPEG file."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=80, optimize=True)
    return file.getvalue()


def _figure(height: float, width: float = WIDTH) -> Figure:
    return Figure(figsize=(width, height), layout="constrained")


def _plain(axes: Axes) -> None:
    """One ink for all that is not data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(INK)
    axes.tick_params(which="both", colors=INK, labelsize=8)
    axes.xaxis.label.set(color=INK, fontsize=9)
    axes.yaxis.label.set(color=INK, fontsize=9)
    axes.set_facecolor("none")


def _chart(figure: Figure) -> Chart:
    """In an <img> an SVG file cannot inherit the page's colour, but asks for the reader's theme itself."""
    figure.patch.set_facecolor("none")
    svg = io.BytesIO()
    figure.savefig(svg, format="svg", dpi=DPI, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    themes = (
        f"<style>svg {{ color: {INK}; }} "
        f"@media (prefers-color-scheme: dark) {{ svg {{ color: {INK_IN_THE_DARK}; }} }}</style><defs>"
    )
    drawing = svg.getvalue().replace(INK.encode(), b"currentColor").replace(b"<defs>", themes.encode(), 1)
    return Chart(drawing, _png(figure))


def _png(figure: Figure) -> bytes:
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=DPI, facecolor="white")
    return png.getvalue()


def _drawable(name: str) -> str:
    """The name, cut when long, with a question mark for each character that matplotlib's font lacks."""
    font = get_font(findfont("DejaVu Sans"))
    cut = name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 1]}…"
    return "".join(character if font.get_char_index(ord(character)) else "?" for character in cut)
