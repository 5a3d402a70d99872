"""Training knobs: declared once, and the same for the command, the API and a job. No TensorFlow is needed to read them."""

from __future__ import annotations

import dataclasses
import json

import pytest
from django.core.management import CommandError, call_command, load_command_class

from training.config import LOSSES, TrainingConfig, api_knobs, job_options, knobs


def test_every_knob_is_an_option_of_the_command_with_its_help_and_default():
    parser = load_command_class("training", "train").create_parser("manage.py", "train")
    options = {action.dest: action for action in parser._actions}
    for knob in knobs():
        assert knob.help in str(options[knob.name].help)
        assert tuple(options[knob.name].choices or ()) == knob.choices
    unchanged = TrainingConfig.from_options(vars(parser.parse_args([])))
    assert unchanged == TrainingConfig()


def test_what_the_command_reads_is_what_is_trained_with():
    parser = load_command_class("training", "train").create_parser("manage.py", "train")
    text = ["--loss", "triplet", "--margin", "soft", "--dim", "64", "--learning-rate", "0.01", "--by-product"]
    config = TrainingConfig.from_options(vars(parser.parse_args(text)))
    assert (config.loss, config.margin, config.dim, config.learning_rate) == ("triplet", "soft", 64, 0.01)
    assert config.by_product
    assert dataclasses.replace(
        config, loss="normalised-softmax", margin=None, dim=256, learning_rate=1e-3, by_product=False
    ) == TrainingConfig()  # fmt: skip


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--dim", "4", "dim must be from 8 to 2048, not 4"),
        ("--epochs", "0", "epochs must be from 1 to 10000, not 0"),
        ("--loss", "hinge", "no loss is named 'hinge'; there are normalised-softmax, softmax"),
        ("--margin", "hard", "could not convert string to float: 'hard'"),
    ],
)
def test_the_command_refuses_a_value_with_what_is_allowed(option, value, message):
    with pytest.raises(CommandError, match=message):
        call_command("train", option, value)


def test_a_siamese_network_has_defaults_of_its_own():
    config = TrainingConfig.from_options({"siamese": True, "dim": None, "epochs": 2})
    assert (config.loss, config.mining, config.dim, config.epochs) == ("triplet", "semi-hard", 64, 2)
    assert config.backbone == ""


def test_a_job_keeps_what_was_asked_for_and_leaves_the_rest_to_the_training():
    options = job_options({"dim": 64, "seed": None, "activate": True})
    assert options == {"loss": "normalised-softmax", "backbone": "bundled", "dim": 64, "activate": True}
    assert TrainingConfig.from_options(json.loads(json.dumps(options))) == TrainingConfig(dim=64)


def test_the_api_offers_no_knob_without_bounds_choices_or_greatest_length():
    assert all(knob.choices or knob.bounds or knob.max_length for knob in api_knobs() if knob.name != "backbone")
    assert next(knob for knob in api_knobs() if knob.name == "loss").choices == LOSSES
