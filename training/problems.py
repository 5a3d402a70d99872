"""The problem types of trainings."""

from __future__ import annotations

from http import HTTPStatus

from embeddings.errors import UnusablePhotos
from rest.problems import ProblemType, ProblemTypes
from training.errors import TrainingUnavailable

UNSUITABLE_PHOTOS = ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "unusable-photos", "Unsuitable training photos")
TRAINING_UNAVAILABLE = ProblemType(HTTPStatus.SERVICE_UNAVAILABLE, "training-unavailable", "Training is not available")

PROBLEM_TYPES: ProblemTypes = {
    UnusablePhotos: UNSUITABLE_PHOTOS,
    TrainingUnavailable: TRAINING_UNAVAILABLE,
}
