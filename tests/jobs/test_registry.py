"""The kinds of job that the apps register."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from prometheus_client import REGISTRY

from accounts.keys import Scope
from accounts.models import User
from jobs.models import Job
from jobs.registry import JobKind, JobPage, KindRegistry, kinds


def kind(name: str = "export", **fields: object) -> JobKind:
    values = {"label": _("export"), "noun": "an export", "command": "export", "scope": Scope.TRAIN, **fields}
    return JobKind(name=name, **values)


@pytest.fixture
def export(monkeypatch: pytest.MonkeyPatch) -> JobKind:
    """A kind that an app of its own would register."""
    added = kind(
        needs_collection=False,
        permissions=("catalog.view_category",),
        page=JobPage(labels={"rows": _("rows written")}, result_members=("rows",)),
    )
    monkeypatch.setitem(kinds._kinds, added.name, added)
    return added


def test_a_name_is_registered_once():
    registry = KindRegistry()
    registry.register(kind("export_a"))
    with pytest.raises(ValueError, match="export_a"):
        registry.register(kind("export_a"))


def test_every_kind_has_its_series_before_its_first_failure():
    for each in kinds:
        labels = {"kind": each.name, "result": "failed"}
        assert REGISTRY.get_sample_value("lookalike_jobs_total", labels) is not None


@pytest.mark.django_db
class TestTheAdminOfAKind:
    def test_shows_its_label_and_the_members_of_its_result(self, export, client):
        client.force_login(User.objects.create_superuser("admin", "admin@shop.example", "secret"))
        job = Job.objects.create(
            kind="export", state=Job.State.SUCCEEDED, result={"rows": 1200, "other": "not-shown-anywhere"}
        )
        page = client.get(reverse("admin:jobs_job_change", args=[job.pk])).content.decode()
        assert "Export" in page
        assert "Rows written" in page
        assert "1,200" in page
        assert "not-shown-anywhere" not in page
        assert "export" in client.get(reverse("admin:jobs_job_changelist")).content.decode()

    def test_lets_those_see_and_cancel_it_whom_the_kind_names(self, export):
        user = User.objects.create_user("clerk", password="secret", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename="view_category"))
        client = Client()
        client.force_login(user)
        own, other = Job.objects.create(kind="export"), Job.objects.create(kind="train", collection="all")
        page = client.get(reverse("admin:jobs_job_changelist")).content.decode()
        assert str(own.pk) in page
        assert str(other.pk) not in page
        client.post(reverse("admin:jobs_job_cancel", args=[own.pk]))
        assert client.post(reverse("admin:jobs_job_cancel", args=[other.pk])).status_code == 403
        own.refresh_from_db()
        other.refresh_from_db()
        assert (own.state, other.state) == (Job.State.CANCELLED, Job.State.QUEUED)
