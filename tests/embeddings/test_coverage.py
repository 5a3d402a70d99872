"""What a collection covers: said explicitly, changed in the admin and by command, and followed by a job."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db.models import ProtectedError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from catalog.importers.run import ImportOptions, run_import
from catalog.models import Category
from embeddings import versions
from embeddings.coverage import set_coverage, submit_coverage
from embeddings.indexing import process_outbox
from embeddings.models import Collection, EncoderVersion
from jobs import execution
from jobs.errors import JobInProgress
from jobs.models import Job
from tests.embeddings.conftest import points
from tests.factories import CategoryFactory, ProductFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def shoes() -> Category:
    return CategoryFactory.create(name="Shoes")


@pytest.fixture
def other(version: EncoderVersion, shoes: Category) -> EncoderVersion:
    """The active version of a second collection, over shoes alone."""
    collection, _ = versions.ensure_collection("shoes", ["shoes"])
    collection.active_version = versions.create_version(collection, "counting")
    collection.save()
    return collection.active_version


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("admin", "admin@shop.example", "secret"))
    return client


def work_off(job: Job, monkeypatch: pytest.MonkeyPatch) -> Job:
    monkeypatch.setattr(execution, "attach_to_runner", lambda job: execution.ProgressReporter(job)("starting", 0, 0))
    Job.objects.update(state=Job.State.RUNNING, started_at=timezone.now(), heartbeat_at=timezone.now())
    call_command(job.registered_kind.command, job=job.pk)
    return Job.objects.get(pk=job.pk)


def test_a_category_that_a_collection_covers_cannot_be_deleted(other: EncoderVersion, shoes: Category) -> None:
    with pytest.raises(ProtectedError):
        shoes.delete()
    set_coverage(other.collection, [], covers_all=True)
    shoes.delete()
    assert Collection.objects.get(slug="shoes").covers_all


def test_the_admin_says_what_stands_in_the_way_of_a_deletion(
    admin: Client, other: EncoderVersion, shoes: Category
) -> None:
    page = admin.post(reverse("admin:catalog_category_delete", args=[shoes.pk]), {"post": "yes"}, follow=True)
    assert "shoes, covered by the collection shoes" in page.content.decode()
    assert Category.objects.filter(pk=shoes.pk).exists()


def test_a_collection_without_categories_covers_nothing(other: EncoderVersion, shoes: Category, add_photo) -> None:
    image = add_photo(ProductFactory.create(category=shoes))
    process_outbox()
    assert points(other).keys() == {image.pk}
    call_command("update_coverage", nothing=True, collection="shoes")
    process_outbox()
    assert points(other) == {}
    add_photo(ProductFactory.create(category=shoes))
    process_outbox()
    assert points(other) == {}


def test_another_category_of_a_product_counts_too(other: EncoderVersion, shoes: Category, add_photo) -> None:
    product = ProductFactory.create(category=CategoryFactory.create(name="Sale"))
    product.other_categories.add(CategoryFactory.create(name="Boots", parent=shoes))
    image = add_photo(product)
    process_outbox()
    assert points(other).keys() == {image.pk}


def test_the_command_lets_photos_in_and_out(other: EncoderVersion, shoes: Category, add_photo, capsys) -> None:
    bags = CategoryFactory.create(name="Bags")
    inside, outside = (add_photo(ProductFactory.create(category=each)) for each in (shoes, bags))
    process_outbox()
    call_command("update_coverage", collection="shoes", categories=["bags"])
    assert capsys.readouterr().out == "1 photos to embed, 1 to remove\n"
    process_outbox()
    assert points(other).keys() == {outside.pk}
    call_command("update_coverage", collection="shoes", whole_catalogue=True)
    process_outbox()
    assert points(other).keys() == {inside.pk, outside.pk}
    with pytest.raises(CommandError, match="there is no category bag; the nearest: bags"):
        call_command("update_coverage", collection="shoes", categories=["bag"])


def test_the_admin_submits_a_job_that_follows(
    admin: Client, other: EncoderVersion, shoes: Category, add_photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    bags = CategoryFactory.create(name="Bags")
    outside = add_photo(ProductFactory.create(category=bags))
    add_photo(ProductFactory.create(category=shoes))
    process_outbox()
    page = reverse("admin:embeddings_collection_change", args=[other.collection.pk])
    assert "shoes" in admin.get(page).content.decode()

    admin.post(page, {"name": "Bags", "language": "en", "covered": [bags.pk]})

    job = Job.objects.get()
    assert (job.kind, job.collection) == ("coverage", "shoes")
    refused = admin.post(page, {"name": "Bags", "language": "en", "covered": [shoes.pk]}).content.decode()
    assert "An earlier change is still being followed up" in refused
    done = work_off(job, monkeypatch)
    assert (done.state, done.result) == (Job.State.SUCCEEDED, {"added": 1, "removed": 1})
    process_outbox()
    assert points(other).keys() == {outside.pk}
    assert Collection.objects.get(slug="shoes").name == "Bags"
    both = admin.post(
        page, {"name": "Bags", "language": "en", "covered": [shoes.pk], "covers_all": "on"}
    ).content.decode()
    assert "Choose categories, or the whole catalogue" in both


def test_who_may_only_view_sees_what_a_collection_covers(
    client: Client, other: EncoderVersion, shoes: Category
) -> None:
    CategoryFactory.create(name="Boots", parent=shoes)
    set_coverage(other.collection, ["shoes/boots"], covers_all=False)
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_collection"))
    client.force_login(viewer)
    page = client.get(reverse("admin:embeddings_collection_change", args=[other.collection.pk])).content.decode()
    assert "shoes/boots" in page
    assert "select2" not in page.partition("<form")[2]


def test_nothing_is_changed_while_the_job_of_an_earlier_change_is_under_way(other: EncoderVersion) -> None:
    CategoryFactory.create(name="Bags")
    submit_coverage(other.collection, ["shoes", "bags"], covers_all=False)
    with pytest.raises(JobInProgress):
        submit_coverage(other.collection, [], covers_all=True)
    assert not Collection.objects.get(slug="shoes").covers_all


def test_a_feed_that_renames_a_category_of_a_collection_warns(other: EncoderVersion, tmp_path) -> None:
    table = tmp_path / "feed.csv"

    def notes(category: str) -> list[str]:
        table.write_text(f"sku,title,category\nS-1,Boot,{category}\n")
        return [note for note in run_import(table, ImportOptions()).notes if "collection" in note]

    assert notes("Shoes > Boots") == []
    assert notes("Shoes > Winter boots") == []
    (note,) = notes("Footwear > Boots")
    assert note.startswith("the category shoes has no products any more, and the collection shoes covers it")
    assert notes("Footwear > Boots") == []


def test_a_collection_is_made_in_the_admin_and_a_job_has_it_answer(admin: Client, shoes: Category) -> None:
    page = reverse("admin:embeddings_collection_add")
    nothing = admin.post(page, {"name": "Boots", "slug": "boots", "language": "en"}).content.decode()
    assert "Choose the categories of the new collection, or the whole catalogue." in nothing

    answer = admin.post(page, {"name": "Boots", "slug": "boots", "language": "en", "covered": [shoes.pk]}, follow=True)

    assert "The photos of Boots will be embedded; it answers when that is done." in answer.content.decode()
    made = Collection.objects.get(slug="boots")
    assert (made.covers_all, [*made.categories.values_list("path", flat=True)]) == (False, ["shoes"])
    job = Job.objects.get()
    assert (job.kind, job.collection, job.parameters["version"]) == ("activate", "boots", "boots-v1")
