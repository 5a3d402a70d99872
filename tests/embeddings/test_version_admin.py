"""Encoder versions in the back office: how good each is, and which one answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from embeddings import background, generations, indexing, versions
from embeddings.models import Collection, EncoderVersion
from jobs.models import Job
from tests.factories import CollectionFactory, EncoderVersionFactory

LIST = "admin:embeddings_encoderversion_changelist"
PAGE = "<!doctype html><title>Report</title><img src='data:,'>"

METRICS = {
    "outcomes": [
        {
            "name": "fine-tuned", "recall_at_1": 0.871, "mean_average_precision": 0.7624,
            "intervals": {"recall_at_1": [0.85, 0.89], "mean_average_precision": [0.7501, 0.7749]},
        },
        {"name": "raw backbone (bundled)", "recall_at_1": 0.777, "mean_average_precision": 0.468},
    ],
    "expected_calibration_error": 0.01234,
}  # fmt: skip
DATA = {
    "title": "photos.zip",
    "count": 9,
    "splits": {"train": {"hats": 4, "mugs <b>": 3}, "validation": {"hats": 2}},
    "problems": ["1 photo cannot be read"],
}
RECIPE = {"backbone": "bundled", "loss": "triplet", "margin": 0.2, "weights": None, "unfreeze": {"layers": 3}}

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("admin", "admin@shop.example", "secret"))
    return client


@pytest.fixture
def viewer() -> Client:
    """Somebody who may look at encoder versions, and no more."""
    user = User.objects.create_user("viewer", password="secret", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_encoderversion"))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def encoders_root(settings: Any, tmp_path: Path) -> Path:
    settings.ENCODERS_ROOT = tmp_path / "encoders"
    settings.ENCODERS_ROOT.mkdir()
    return tmp_path / "encoders"


@pytest.fixture
def trained(version: EncoderVersion, encoders_root: Path) -> EncoderVersion:
    """A version that was trained, with its report."""
    report = encoders_root / "abc" / "report"
    report.mkdir(parents=True)
    (report / "report.html").write_text(PAGE)
    return EncoderVersionFactory.create(
        collection=version.collection, number=2, encoder="abc/model.tflite", files="abc", metrics=METRICS, data=DATA,
        recipe=RECIPE,
    )  # fmt: skip


def page_of(client: Client, version: EncoderVersion) -> str:
    return str(client.get(reverse("admin:embeddings_encoderversion_change", args=[version.pk])).content.decode())


def report_address(version: EncoderVersion) -> str:
    return reverse("admin:embeddings_encoderversion_report", args=[version.pk])


def run(client: Client, action: str, *chosen: EncoderVersion) -> list[str]:
    """What the page says after the action."""
    data = {"action": action, "_selected_action": [version.pk for version in chosen]}
    answer = client.post(reverse(LIST), data, follow=True)
    return [str(message) for message in answer.context["messages"]]


class TestTheList:
    def test_it_says_which_version_answers_and_which_would_after_a_roll_back(self, admin, version):
        previous, spare = EncoderVersionFactory.create_batch(2, collection=version.collection)
        Collection.objects.filter(pk=version.collection_id).update(previous_version=previous)
        page = admin.get(reverse(LIST)).content.decode()
        assert all(shown.label in page for shown in (version, previous, spare))
        assert [page.count(word) for word in ("\nactive\n", "\nprevious\n", "\nstand-by\n")] == [1, 1, 1]

    def test_it_shows_how_good_a_trained_one_is(self, admin, trained):
        assert "mAP 0.762, Recall@1 0.871" in admin.get(reverse(LIST)).content.decode()

    def test_it_takes_as_many_queries_for_twenty_versions_as_for_one(self, admin, version):
        admin.get(reverse(LIST))  # what is read once in a process is read
        with CaptureQueriesContext(connection) as few:
            admin.get(reverse(LIST))
        for _ in range(19):
            EncoderVersionFactory.create(metrics=METRICS)
        with CaptureQueriesContext(connection) as many:
            assert admin.get(reverse(LIST)).content.decode().count("mAP 0.762") == 19
        assert len(many) == len(few)


class TestThePage:
    def test_it_shows_the_figures_side_by_side(self, admin, trained):
        page = page_of(admin, trained)
        assert "0.871 (0.850 to 0.890)" in page
        assert "0.762 (0.750 to 0.775)" in page
        assert "raw backbone (bundled)" in page
        assert "0.468" in page
        assert "0.0123" in page

    def test_it_words_an_interval_in_the_readers_language(self, admin, trained):
        admin.cookies[settings.LANGUAGE_COOKIE_NAME] = "de"
        assert "0.871 (0.850 bis 0.890)" in page_of(admin, trained)

    def test_it_shows_the_recipe_and_what_was_trained_on(self, admin, trained):
        page = page_of(admin, trained)
        for text in (
            "photos.zip",
            "1 photo cannot be read",
            "to validate with",
            "mugs &lt;b&gt;",
            "triplet",
            "layers 3",
        ):
            assert text in page
        assert "weights" not in page

    def test_it_shows_one_that_was_not_trained_here(self, admin, version, encoders_root):
        page = page_of(admin, version)
        assert "all-v1" in page
        assert "Evaluation report" not in page

    def test_it_leads_to_the_report(self, admin, trained):
        assert report_address(trained) in page_of(admin, trained)

    @pytest.mark.parametrize("metrics", [{}, {"outcomes": []}, {"outcomes": [{"name": "fine-tuned"}]}])
    def test_it_shows_what_figures_there_are(self, admin, trained, metrics):
        EncoderVersion.objects.filter(pk=trained.pk).update(metrics=metrics, data={}, recipe={})
        assert "all-v2" in page_of(admin, trained)
        assert "all-v2" in admin.get(reverse(LIST)).content.decode()


class TestVerifying:
    def test_the_page_says_what_the_last_comparison_found(self, admin, version, add_photo, index):
        assert "Not compared yet." in page_of(admin, version)
        photo = add_photo()
        indexing.process_outbox()
        call_command("reindex", "--verify")
        assert "all-v1: no difference." in page_of(admin, version)
        index.delete(version.index_collection().name, [photo.pk])
        call_command("reindex", "--verify")
        assert "all-v1: 1 missing, 0 stale, 0 orphaned; repaired." in page_of(admin, version)

    def test_its_button_submits_a_job(self, admin, version):
        address = reverse("admin:embeddings_encoderversion_verify", args=[version.pk])
        assert f'formaction="{address}"' in page_of(admin, version)
        assert admin.get(address).status_code == 405
        page = admin.post(address, follow=True).content.decode()
        assert "The index of all-v1 will be compared." in page
        assert "The comparison is under way." in page
        assert (Job.objects.get().kind, Job.objects.get().collection) == ("verify", "all")

    def test_only_a_live_index_is_compared(self, admin, trained):
        address = reverse("admin:embeddings_encoderversion_verify", args=[trained.pk])
        assert address not in page_of(admin, trained)
        assert "all-v2 is not active" in admin.post(address, follow=True).content.decode()

    def test_whoever_may_only_look_sees_the_result_and_no_button(self, viewer, version):
        address = reverse("admin:embeddings_encoderversion_verify", args=[version.pk])
        assert "Not compared yet." in page_of(viewer, version)
        assert address not in page_of(viewer, version)
        assert viewer.post(address).status_code == 403


class TestTheReport:
    def test_it_is_shown_and_can_do_nothing(self, viewer, trained):
        answer = viewer.get(report_address(trained))
        assert b"".join(answer.streaming_content).decode() == PAGE
        assert answer["Content-Type"] == "text/html; charset=utf-8"
        policy = answer["Content-Security-Policy"]
        assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox"
        assert "no-store" in answer["Cache-Control"]
        assert answer["X-Content-Type-Options"] == "nosniff"

    @pytest.mark.parametrize("files", ["", "def", "../outside", "..", "/etc", "abc/../../outside"])
    def test_nothing_else_is_shown(self, admin, trained, encoders_root, files):
        outside = encoders_root.parent / "outside" / "report"
        outside.mkdir(parents=True)
        (outside / "report.html").write_text("secret")
        (encoders_root.parent / "report").mkdir()
        (encoders_root.parent / "report" / "report.html").write_text("secret")
        EncoderVersion.objects.filter(pk=trained.pk).update(files=files)
        assert admin.get(report_address(trained)).status_code == 404

    def test_a_link_that_leads_out_of_the_encoders_is_not_followed(self, admin, trained, encoders_root):
        (encoders_root.parent / "secret.html").write_text("secret")
        page = encoders_root / "abc" / "report" / "report.html"
        page.unlink()
        page.symlink_to(encoders_root.parent / "secret.html")
        assert admin.get(report_address(trained)).status_code == 404

    def test_it_is_for_those_who_may_see_versions(self, trained):
        assert Client().get(report_address(trained)).status_code == 302
        user = User.objects.create_user("other", password="secret", is_staff=True)
        other = Client()
        other.force_login(user)
        assert other.get(report_address(trained)).status_code == 403

    def test_there_is_none_of_a_version_that_there_is_not(self, admin, trained):
        assert admin.get(reverse("admin:embeddings_encoderversion_report", args=[99])).status_code == 404


class TestActivating:
    def test_the_page_of_a_version_leads_to_it(self, admin, viewer, version, trained):
        address = reverse("admin:activation", args=[trained.pk])
        assert address in page_of(admin, trained)
        assert address not in page_of(viewer, trained)
        assert "No version was active before." in page_of(admin, version)

    def test_it_leads_to_the_page_that_says_what_changes(self, admin, trained):
        answer = admin.post(reverse(LIST), {"action": "activate", "_selected_action": [trained.pk]})
        assert answer["Location"] == reverse("admin:activation", args=[trained.pk])
        assert not Job.objects.exists()

    def test_it_takes_one_version(self, admin, version, trained):
        other = EncoderVersionFactory.create(collection=version.collection)
        assert run(admin, "activate", trained, other) == ["Choose one version: a collection has one that is active."]

    def test_the_active_one_is_active_already(self, admin, version):
        assert run(admin, "activate", version) == ["all-v1 is active already."]


class TestRollingBack:
    @pytest.fixture
    def newer(self, version, encoder, add_photo, monkeypatch) -> EncoderVersion:
        """Active, and `version` is the one before it."""
        monkeypatch.setattr(generations, "LIVE_COLLECTION_TTL_S", 0)
        add_photo()
        indexing.process_outbox()
        return versions.activate(versions.create_version(version.collection, "counting")).version

    def test_it_is_done_at_once_and_what_changed_meanwhile_is_worked_off(
        self, admin, version, newer, add_photo, monkeypatch, django_capture_on_commit_callbacks
    ):
        noted: list[str] = []
        add_photo()
        # The photo came in a transaction of its own, which is committed.
        connection.run_on_commit.clear()
        monkeypatch.setattr(background, "wake_outbox", lambda: noted.append("work"))
        with django_capture_on_commit_callbacks(execute=True):
            messages = run(admin, "roll_back", newer, version)
        assert messages == ["all-v1 is active again."]
        assert Collection.objects.get(slug="all").active_version == version
        assert noted == ["work"]

    def test_where_there_is_nothing_to_roll_back_to_it_says_so(self, admin, version):
        (message,) = run(admin, "roll_back", version)
        assert message.startswith("All has no previous version")

    def test_the_page_of_the_active_version_has_a_button_for_it(self, admin, version, newer):
        address = reverse("admin:embeddings_encoderversion_roll_back", args=[newer.pk])
        assert f'formaction="{address}"' in page_of(admin, newer)
        assert "Roll back to all-v1" in page_of(admin, newer)
        assert admin.get(address).status_code == 405
        assert "all-v1 is active again." in admin.post(address, follow=True).content.decode()
        assert Collection.objects.get(slug="all").active_version == version
        assert (
            "all-v2 is not active: there is nothing to roll back." in admin.post(address, follow=True).content.decode()
        )

    def test_each_collection_has_its_own(self, admin, version, newer):
        other = EncoderVersionFactory.create(collection=CollectionFactory.create(slug="food"))
        messages = run(admin, "roll_back", newer, other)
        assert messages[0] == "all-v1 is active again."
        assert messages[1].startswith("Food has no previous version")


class TestPermissions:
    @pytest.mark.parametrize("action", ["activate", "roll_back"])
    def test_whoever_may_only_look_decides_nothing(self, viewer, version, trained, action):
        Collection.objects.filter(pk=version.collection_id).update(previous_version=trained)
        assert viewer.get(reverse(LIST)).status_code == 200
        run(viewer, action, trained)
        assert not Job.objects.exists()
        assert Collection.objects.get(slug="all").active_version == version

    def test_nor_by_the_button_of_the_page(self, viewer, version, trained):
        Collection.objects.filter(pk=version.collection_id).update(previous_version=trained)
        address = reverse("admin:embeddings_encoderversion_roll_back", args=[version.pk])
        assert address not in page_of(viewer, version)
        assert viewer.post(address).status_code == 403

    def test_they_are_not_changed_by_hand(self, admin, trained):
        address = reverse("admin:embeddings_encoderversion_change", args=[trained.pk])
        assert admin.post(address, {"encoder": "other"}).status_code == 403
