"""Training of the bundled encoder, as a process of its own: TensorFlow stays out of the tests' process."""

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from embeddings.backends import bundled_weights
from embeddings.encoders.litert import LiteRTEncoder
from embeddings.encoders.preprocessing import to_input
from tests.services.conftest import ROOT

pytestmark = pytest.mark.tensorflow

WEIGHTS = bundled_weights("bundled-fast")
RECIPES = ("distil", "distil_blanked", "distil_joined", "foreground_mask", "quantise", "refit")
AS_KERAS = """
import sys
import numpy as np
from pathlib import Path
from training.litert_files import read_litert
np.save(sys.argv[3], read_litert(Path(sys.argv[1])).predict(np.load(sys.argv[2]), verbose=0))
"""

# Each recipe in a process of its own, forked from one that has imported TensorFlow: that takes most of the time.
EACH_HELP = """
import os, runpy, sys
import keras
recipes = sys.argv[1:]
for recipe in recipes:
    print(f"<{recipe}>", flush=True)
    if not os.fork():
        os.dup2(1, 2)
        sys.argv = [recipe, "--help"]
        runpy.run_module(f"training.{recipe}", run_name="__main__", alter_sys=True)
        sys.exit("it went on after --help")
    print("status", os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
"""

ONE_EPOCH_THEN_ANOTHER = """
import sys
from training.distil_joined import main
options = sys.argv[1:]
for epochs in "12":
    sys.argv = ["distil_joined", *options, "--epochs", epochs]
    main()
"""


def run(*arguments: object) -> str:
    # As a user's shell has it, who needs no site for a recipe.
    environment = {key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
    environment["TF_CPP_MIN_LOG_LEVEL"] = "3"
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr


def photo(seed: int) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((96, 72), Image.Resampling.BILINEAR)


@pytest.fixture(scope="module")
def helps() -> str:
    return run("-c", EACH_HELP, *RECIPES)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_runs_without_a_site(recipe: str, helps: str) -> None:
    said = helps.partition(f"<{recipe}>")[2].partition("status ")
    assert "--out OUT" in said[0]
    assert said[2].startswith("0\n"), said[0]


def test_the_bundled_encoder_can_be_read_back_as_a_keras_network(tmp_path: Path) -> None:
    encoder = LiteRTEncoder(WEIGHTS)
    photos = [photo(seed) for seed in range(3)]
    np.save(tmp_path / "in.npy", np.concatenate([to_input(each, encoder.input_size) for each in photos]))

    run("-c", AS_KERAS, WEIGHTS, tmp_path / "in.npy", tmp_path / "out.npy")

    assert np.allclose(np.load(tmp_path / "out.npy"), encoder.encode(photos), atol=1e-4)


@pytest.mark.timeout(900)
def test_distillation_makes_an_encoder_and_goes_on_after_an_interruption(tmp_path: Path, real_data: Path) -> None:
    with tarfile.open(next((real_data / "encoders").glob("mobilenet_v2_*.tar.gz"))) as archive:
        archive.extractall(tmp_path / "teacher", filter="data")
    (tmp_path / "photos").mkdir()
    for seed in range(24):
        photo(seed).save(tmp_path / "photos" / f"{seed}.png")
    command = ["-m", "training.distil", "--photos", tmp_path / "photos", "--teacher", tmp_path / "teacher"]
    command += ["--work", tmp_path / "work", "--out", tmp_path / "model.tflite", "--input-size", 32, "--dim", 8]
    command += ["--features", 32, "--crops", 6, "--demo-products", 0, "--neighbours", 3, "--batch", 8]

    first = run(*command, "--epochs", 1)
    second = run(*command, "--epochs", 2)

    assert "epoch 1:" in first
    assert "going on after epoch 1" in second
    assert "epoch 2:" in second
    encoder = LiteRTEncoder(tmp_path / "model.tflite")
    assert (encoder.input_size, encoder.dim) == (32, 8)
    assert np.allclose(np.linalg.norm(encoder.encode([photo(0), photo(1)]), axis=1), 1)


def test_distillation_from_joined_teachers_goes_on_after_an_interruption_and_from_an_exported_file(
    tmp_path: Path,
) -> None:
    for seed in range(24):
        (tmp_path / "photos" / f"{seed % 2}").mkdir(parents=True, exist_ok=True)
        photo(seed).save(tmp_path / "photos" / f"{seed % 2}" / f"{seed}.png")
    recipe = {
        "input_size": 32, "dim": 8, "small": [32], "large": [32], "frozen": 3, "principal_photos": 20, "epoch_pictures": 16,
        "uses": 1, "batch": 8, "others": 8, "demo_products": 0,
    }  # fmt: skip
    (tmp_path / "recipe.json").write_text(json.dumps(recipe))
    options = ["--labelled", tmp_path / "photos", "--recipe", tmp_path / "recipe.json", "--teacher", "bundled-fast"]
    options += ["--start", WEIGHTS, "--work", tmp_path / "work", "--out", tmp_path / "model.tflite"]

    printed = run("-c", ONE_EPOCH_THEN_ANOTHER, *options)

    assert printed.count("epoch 1:") == 1
    assert "going on after epoch 1" in printed
    assert "epoch 2:" in printed
    encoder = LiteRTEncoder(tmp_path / "model.tflite")
    assert (encoder.input_size, encoder.dim) == (32, 8)
    assert np.allclose(np.linalg.norm(encoder.encode([photo(0), photo(1)]), axis=1), 1)
    written = json.loads((tmp_path / "model.json").read_text())
    assert (written["epochs"], written["dim"], written["class_weight"]) == (2, 8, 0.4)


def test_an_encoder_with_last_layers_made_anew_is_one_that_a_training_goes_on_from(tmp_path: Path) -> None:
    for seed in range(24):
        (tmp_path / "photos" / f"{seed % 2}").mkdir(parents=True, exist_ok=True)
        photo(seed).save(tmp_path / "photos" / f"{seed % 2}" / f"{seed}.png")
    command = ["-m", "training.refit", "--weights", WEIGHTS, "--labelled", tmp_path / "photos", "--each", 20]

    run(*command, "--out", tmp_path / "weights.tflite")

    encoder = LiteRTEncoder(tmp_path / "weights.tflite")
    assert (encoder.input_size, encoder.dim) == (160, 256)
    photos = [photo(seed) for seed in range(3)]
    assert encoder.encode(photos) != pytest.approx(LiteRTEncoder(WEIGHTS).encode(photos), abs=0.01)
    np.save(tmp_path / "in.npy", np.concatenate([to_input(each, encoder.input_size) for each in photos]))
    run("-c", AS_KERAS, tmp_path / "weights.tflite", tmp_path / "in.npy", tmp_path / "out.npy")
    assert np.load(tmp_path / "out.npy") == pytest.approx(encoder.encode(photos), abs=2e-3)
