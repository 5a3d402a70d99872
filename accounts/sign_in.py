"""Failed sign-ins: a user is locked for an address, and an address that tries many users for all of them."""

from __future__ import annotations

from typing import Any

from axes.attempts import get_cool_off_threshold
from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.db.models import Sum
from django.http import HttpRequest

from accounts.addresses import client_network


class SignInHandler(AxesDatabaseHandler):  # type: ignore[misc]  # django-axes carries no types
    """Counts failures as django-axes does, and beside that all failures of an address."""

    def is_locked(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> bool:
        """Whether the user is locked for the address, or the address for everybody.

        Args:
            request: an attempt to sign in.
            credentials: its user name.

        Returns:
            Whether it is refused.
        """
        if super().is_locked(request, credentials):
            return True
        attempts = AccessAttempt.objects.filter(
            ip_address=client_network(request), attempt_time__gte=get_cool_off_threshold(request)
        )
        failures = attempts.aggregate(sum=Sum("failures_since_start"))["sum"] or 0
        return bool(failures >= settings.LOGIN_ADDRESS_FAILURES)
