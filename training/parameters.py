"""The parameters of the endpoint of trainings, derived from the knobs of `TrainingConfig`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from rest_framework.fields import empty

from rest.errors import ParameterError
from rest.parameters import (
    BooleanParameter,
    ChoiceParameter,
    IntegerParameter,
    NumberParameter,
    Parameter,
    Parameters,
    TextParameter,
)
from training.config import Knob, TrainingConfig, api_knobs


class TrainingParameters(Parameters):
    """The parameters of `POST /api/collections/<slug>/train`: those of a training that the API offers, and `activate`."""

    activate = BooleanParameter(
        "Activate the new version when it is trained and the catalogue is embedded with it.", default=False
    )

    def get_fields(self) -> dict[str, Any]:
        """One parameter for each knob, then the declared ones."""
        return {**{knob.name: _parameter(knob) for knob in api_knobs()}, **super().get_fields()}

    @classmethod
    def conflicts(cls, values: Mapping[str, Any]) -> Iterable[ParameterError]:
        """A further label that is the class itself."""
        name = "also"
        try:
            TrainingConfig(also=values.get(name, ""))
        except ValueError as error:
            yield ParameterError(name, str(error).removeprefix(f"{name} "))


def _parameter(knob: Knob) -> Parameter:
    default = knob.default if knob.api == "default" else empty
    if knob.name == "backbone":
        # Not a path or a URL: the server would open whatever a client names.
        help_text = "Backbone to fine-tune: `bundled`, `bundled-fast`, or a name in the server's setting BACKBONES."
        return ChoiceParameter(help_text, choices=lambda: settings.BACKBONES, default=default)
    if knob.choices:
        return ChoiceParameter(knob.help, choices=knob.choices, default=default)
    if knob.max_length is not None:
        return TextParameter(knob.help, max_length=knob.max_length, default=default)
    low, high = knob.bounds or (0, 0)
    if knob.kind is int:
        return IntegerParameter(knob.help, minimum=int(low), maximum=int(high), default=default)
    return NumberParameter(knob.help, minimum=low, maximum=high, default=default)
