"""An evaluation report: what it shows, that it stands alone, and that names cannot break it."""

from __future__ import annotations

import base64
import io
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from embeddings.evaluation.calibration import Reliability
from embeddings.evaluation.metrics import (
    bootstrap_intervals,
    confusion,
    labels_of,
    mean_metrics,
    nearest_labels,
    per_class,
    per_query_metrics,
)
from embeddings.evaluation.report import (
    CalibrationCheck,
    Confusion,
    DrawingUnavailable,
    EmbeddingMap,
    EncoderResult,
    EvaluationReport,
    LearningPoint,
    ResultGrid,
    write_report,
)
from tests.factories import numbered_colour

NASTY = ["<img src=x onerror=alert(1)>", "a|b *c* [d](e)", "$x$ -->", "帽子", "_under", "{{ title }}"]


def photo(number: int) -> Image.Image:
    return Image.new("RGB", (40, 30), numbered_colour(number))


def evaluated(classes: list[str], title: str = "Clothing") -> EvaluationReport:
    """Every part of a report, of three photos a class; the fine-tuned encoder knows the classes, the raw one nothing."""
    random = np.random.default_rng(0)
    labels = labels_of([name for name in classes for _ in range(3)])
    raw = random.normal(size=(len(labels), 8)).astype(np.float32)
    tuned = (raw + 2 * random.normal(size=(len(classes), 8)).repeat(3, axis=0)).astype(np.float32)
    found = {}
    for name, vectors in (("fine-tuned", tuned), ("raw", raw)):
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        found[name] = per_query_metrics(vectors, labels, vectors, labels, leave_one_out=True)
    return EvaluationReport(
        title=title,
        facts={"Encoder": "bundled", "Photos": len(labels)},
        encoders=[
            EncoderResult(name, mean_metrics(it), bootstrap_intervals(it, resamples=20), per_class(it, labels))
            for name, it in found.items()
        ],
        learning_curve=[LearningPoint(1, 2.0), LearningPoint(2, 1.5, 0.625), LearningPoint(3, 1.2, 0.5)],
        confusion=Confusion(*confusion(labels, nearest_labels(found["raw"], labels))),
        embedding_map=EmbeddingMap(tuned, labels),
        result_grid=ResultGrid(found["raw"], labels, labels, photo, photo, rows=2, neighbours=3),
        calibration=CalibrationCheck(0.0123, Reliability((0.2, 0.8), (0.25, 0.75), (1200, 34))),
    )


class Page(HTMLParser):
    """The tags, the text and the addresses of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words: list[str] = []
        self.addresses: list[str] = []
        self.feed(html)
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "srcset", "data", "action")]

    def handle_data(self, data):
        if self.tags[-1:] != ["style"]:
            self.words.append(data)


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    return write_report(evaluated(["hat", "shoe", "dress"]), tmp_path_factory.mktemp("report")).parent


@pytest.fixture(scope="module")
def page(written) -> Page:
    return Page((written / "report.html").read_text())


@pytest.fixture(scope="module")
def markdown(written) -> str:
    return (written / "report.md").read_text()


def test_both_say_the_figures(page, markdown):
    report = evaluated(["hat", "shoe", "dress"])
    for encoder in report.encoders:
        low, high = encoder.intervals["mean_average_precision"]
        figures = (encoder.name, f"{encoder.metrics.mean_average_precision:.3f}", f"{low:.3f} to {high:.3f}")
        assert all(figure in page.text and figure in markdown for figure in figures)
    for words in ("Clothing", "mAP@R", "nDCG@10", "0.625, in epoch 2", "0.0123 over 1,234 pairs", "hat", "fine-tuned"):
        assert words in page.text
        assert words in markdown


def test_the_page_stands_alone(page):
    # Three charts; two best and two worst queries with three answers each.
    assert len(page.addresses) == 3 + 4 * 4
    assert all(address.startswith("data:image/") for address in page.addresses)
    assert "script" not in page.tags
    assert "link" not in page.tags


def test_the_pages_pictures_can_be_drawn(page):
    for address in page.addresses:
        kind, content = address.split(";base64,")
        picture = base64.b64decode(content, validate=True)
        if kind == "data:image/svg+xml":
            assert picture.rstrip().endswith(b"</svg>")
            assert b"prefers-color-scheme: dark" in picture
            assert b"currentColor" in picture
        else:
            Image.open(io.BytesIO(picture)).verify()


def test_the_markdowns_pictures_lie_beside_it(written, markdown):
    named = re.findall(r"\]\(([^)]+)\)", markdown)
    assert len(named) == 5 + 4
    assert {path.name for path in written.iterdir()} == {"report.html", "report.md", *named}
    for name in named:
        Image.open(written / name).verify()


def test_a_right_answer_is_framed_in_green_and_a_wrong_one_in_red(tmp_path):
    labels = labels_of(["hat", "hat", "shoe"])
    angles = np.radians([0, 20, 10])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    found = per_query_metrics(vectors[:1], labels[:1], vectors[1:], labels[1:])
    grid = ResultGrid(found, labels[:1], labels[1:], photo, photo)
    folder = write_report(EvaluationReport("Grid", result_grid=grid), tmp_path / "report").parent
    # The shoe is nearer than the other hat.
    assert re.search(
        r"\| hat \| 0\.500 \| !\[hat\]\(best-1\.jpg\) \| ✗ shoe ✓ hat \|", (folder / "report.md").read_text()
    )
    with Image.open(folder / "best-1.jpg") as strip:
        pixels = np.asarray(strip.convert("RGB"), dtype=int)
    red, green = pixels[len(pixels) // 2, [1 * 138 + 17, 2 * 138 + 17]]
    assert red[0] > red[1] + 60
    assert green[1] > green[0] + 60


def test_every_part_but_the_title_may_be_absent(tmp_path):
    folder = write_report(EvaluationReport("Nothing yet"), tmp_path / "report").parent
    assert sorted(path.name for path in folder.iterdir()) == ["report.html", "report.md"]
    assert Page((folder / "report.html").read_text()).text.split() == ["Nothing", "yet"] * 2
    assert (folder / "report.md").read_text().strip() == "# Nothing yet"


def test_names_are_text_whatever_they_hold(tmp_path):
    folder = write_report(evaluated(NASTY, title="<b>|*x*"), tmp_path / "report").parent
    html, markdown = (folder / "report.html").read_text(), (folder / "report.md").read_text()
    page = Page(html)
    assert all(address.startswith("data:image/") for address in page.addresses)
    assert "b" not in page.tags[: page.tags.index("section")]
    assert all(name in page.text for name in NASTY)
    assert "<" not in markdown
    assert r"a\|b \*c\* \[d\](e)" in markdown
    rows = [line for line in markdown.splitlines() if line.startswith("| a")]
    assert rows
    assert all(len(re.findall(r"(?<!\\)\|", row)) in (4, 5) for row in rows)


def test_nested_classes_are_called_by_their_last_part_where_that_is_clear(tmp_path):
    report = evaluated(["Fruit/Pear", "Vegetables/Leek", "Fruit/Other", "Vegetables/Other"])
    text = Page(write_report(report, tmp_path / "report").read_text()).text
    assert "Pear" in text
    assert "Fruit/Pear" not in text
    assert "Fruit/Other" in text


def test_very_many_classes_are_cut_and_the_report_says_so(tmp_path, monkeypatch):
    for name, limit in (("MAX_BAR_CLASSES", 5), ("MAX_CONFUSED_CLASSES", 4), ("MAX_COLOURS", 3), ("MAX_POINTS", 20)):
        monkeypatch.setattr(f"embeddings.evaluation.report.{name}", limit)
    report = evaluated([f"class {number}" for number in range(8)])
    text = Page(write_report(report, tmp_path / "report").read_text()).text
    assert "The 5 lowest of 8 classes" in text
    assert "the 4 of 8 classes that are confused most" in text
    assert re.search(r"[45] smaller classes", text)
    assert "20 of 24 photos" in text


def test_a_single_measured_epoch_is_drawn(tmp_path):
    report = EvaluationReport("One", learning_curve=[LearningPoint(1, validation_map=0.5)])
    assert "1 epoch;" in Page(write_report(report, tmp_path / "report").read_text()).text


def test_losses_of_further_labels_are_drawn_and_named(tmp_path):
    curve = [
        LearningPoint(1, 2.0, 0.5, {"class": 1.5, "$Größe$": 1.0}),
        LearningPoint(2, 1.5, 0.6, {"class": 1.2, "$Größe$": 0.6}),
    ]
    report = EvaluationReport("One", learning_curve=curve)
    assert (
        "Losses at the end: class 1.200, $Größe$ 0.600."
        in Page(write_report(report, tmp_path / "report").read_text()).text
    )


def test_a_report_replaces_the_one_before(tmp_path):
    folder = tmp_path / "report"
    write_report(evaluated(["hat", "shoe"]), folder)
    write_report(EvaluationReport("Second"), folder)
    assert sorted(path.name for path in folder.iterdir()) == ["report.html", "report.md"]
    assert [path.name for path in tmp_path.iterdir() if path.name != "media"] == ["report"]


def test_a_report_that_fails_leaves_the_one_before(tmp_path, monkeypatch):
    folder = tmp_path / "report"
    write_report(EvaluationReport("First"), folder)

    def full_disk(path: Path, content: bytes) -> int:
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_report(EvaluationReport("Second"), folder)
    assert "First" in (folder / "report.html").read_text()
    assert [path.name for path in tmp_path.iterdir() if path.name != "media"] == ["report"]


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "holiday.jpg").write_bytes(b"")
    with pytest.raises(ValueError, match="something else than a report"):
        write_report(EvaluationReport("Clothing"), folder)
    assert (folder / "holiday.jpg").exists()


def test_without_matplotlib_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "embeddings.evaluation.pictures", raising=False)
    monkeypatch.delattr("embeddings.evaluation.pictures", raising=False)
    with pytest.raises(DrawingUnavailable, match="install the extra `train`"):
        write_report(EvaluationReport("Clothing"), tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_metrics_and_calibration_need_no_matplotlib():
    code = "import sys, embeddings.evaluation.calibration as it; assert it.pairs and 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
