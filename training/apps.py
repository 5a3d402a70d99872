"""The app of training: fine-tuning encoders on a shop's own photos, Siamese networks, distillation."""

from django.apps import AppConfig


class TrainingConfig(AppConfig):
    """Owns the kind of job `train`."""

    name = "training"

    def ready(self) -> None:
        """Register the kind of job."""
        from training.job_kinds import register_kinds

        register_kinds()
