"""Files of deleted photos are deleted later, by a sweep that never takes a file from a product."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from django.utils import timezone
from PIL import Image

from catalog import unused_files
from catalog.background import SweepThread
from catalog.models import ProductImage, UnusedFile
from catalog.services import attach_image, delete_products, remove_images, save_product
from catalog.tasks import sweep_unused_files
from catalog.thumbnails import thumbnail
from catalog.transactions import transaction_with_files
from pictures.photos import Photo, validate_photo
from product_files.product_data import ProductData

ROUNDS = 100


def photo(seed: int = 0) -> Photo:
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 255, (30, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return validate_photo(file.getvalue())


def files(media_root: Path) -> list[str]:
    return sorted(str(path.relative_to(media_root)) for path in media_root.rglob("*") if path.is_file())


def pass_time(minutes: float = 61) -> None:
    for file in UnusedFile.objects.all():
        UnusedFile.objects.filter(pk=file.pk).update(unused_since=file.unused_since - timedelta(minutes=minutes))


@pytest.mark.django_db
class TestSweep:
    def test_deletes_the_file_and_its_thumbnails_when_its_time_has_come(self, media_root: Path) -> None:
        product, _ = save_product(ProductData("mug", "Mug"))
        image, _ = attach_image(product, photo())
        thumbnail(str(image.file.name), 96)
        remove_images([image.pk])
        assert unused_files.sweep() == 0
        pass_time(59)
        assert unused_files.sweep() == 0
        assert len(files(media_root)) == 2
        pass_time(2)
        sweep_unused_files()
        assert files(media_root) == []
        assert not UnusedFile.objects.exists()

    def test_waits_as_long_as_the_setting_says(self, media_root: Path, settings: Any) -> None:
        settings.DELETED_PHOTOS_KEEP_MINUTES = 10
        product, _ = save_product(ProductData("mug", "Mug"))
        attach_image(product, photo())
        delete_products([product.pk])
        pass_time(11)
        assert unused_files.sweep() == 1

    def test_keeps_a_file_that_another_product_has_by_then(self, media_root: Path) -> None:
        one, _ = save_product(ProductData("one", "One"))
        other, _ = save_product(ProductData("other", "Other"))
        image, _ = attach_image(one, photo())
        remove_images([image.pk])
        attach_image(other, photo())
        pass_time()
        assert unused_files.sweep() == 0
        assert files(media_root) == [image.file.name]

    def test_keeps_a_file_that_another_product_had_all_the_time(self, media_root: Path) -> None:
        one, _ = save_product(ProductData("one", "One"))
        other, _ = save_product(ProductData("other", "Other"))
        image, _ = attach_image(one, photo())
        attach_image(other, photo())
        remove_images([image.pk])
        pass_time()
        assert unused_files.sweep() == 0
        assert files(media_root) == [image.file.name]
        assert not UnusedFile.objects.exists()

    def test_tries_again_when_the_storage_refuses(self, media_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        product, _ = save_product(ProductData("mug", "Mug"))
        attach_image(product, photo())
        delete_products([product.pk])
        pass_time()

        def refuse(name: str) -> None:
            raise PermissionError(name)

        with monkeypatch.context() as away:
            away.setattr(unused_files.default_storage, "delete", refuse)
            with pytest.raises(PermissionError):
                unused_files.sweep()
        assert unused_files.sweep() == 1
        assert files(media_root) == []

    def test_a_file_that_cannot_be_deleted_keeps_no_other(
        self, media_root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        product, _ = save_product(ProductData("mug", "Mug"))
        names = [str(attach_image(product, photo(seed))[0].file.name) for seed in range(3)]
        delete_products([product.pk])
        pass_time()
        # The one that has waited longest, of another user for example.
        UnusedFile.objects.filter(name=names[0]).update(unused_since=timezone.now() - timedelta(days=1))
        delete = unused_files.default_storage.delete

        def refuse_first(name: str) -> None:
            if name == names[0]:
                raise PermissionError(name)
            delete(name)

        monkeypatch.setattr(unused_files.default_storage, "delete", refuse_first)
        with pytest.raises(PermissionError):
            unused_files.sweep()
        assert files(media_root) == [names[0]]
        assert [*UnusedFile.objects.values_list("name", flat=True)] == [names[0]]

    def test_takes_the_files_of_a_transaction_that_was_rolled_back(self, media_root: Path) -> None:
        product, _ = save_product(ProductData("mug", "Mug"))
        with pytest.raises(ZeroDivisionError), transaction_with_files():
            attach_image(product, photo())
            raise ZeroDivisionError
        assert len(files(media_root)) == 1
        pass_time()
        assert unused_files.sweep() == 1
        assert files(media_root) == []


@pytest.mark.django_db(transaction=True)
def test_the_thread_of_a_server_without_a_broker_sweeps(media_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    product, _ = save_product(ProductData("mug", "Mug"))
    attach_image(product, photo())
    delete_products([product.pk])
    pass_time()
    monkeypatch.setattr("catalog.background.POLL_S", 0.02)
    thread = SweepThread()
    thread.start()
    deadline = time.monotonic() + 20
    while UnusedFile.objects.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    thread.stop()
    assert files(media_root) == []


@pytest.mark.django_db(transaction=True)
def test_roles_of_photos_are_found_while_a_file_cannot_be_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise PermissionError("not yours")

    found = threading.Event()
    monkeypatch.setattr("catalog.background.unused_files.sweep", refuse)
    monkeypatch.setattr("catalog.background.photo_roles.find_waiting_roles", found.set)
    monkeypatch.setattr("catalog.background.POLL_S", 0.02)
    thread = SweepThread()
    thread.start()
    was_found = found.wait(20)
    thread.stop()
    assert was_found


def at_once(*works: Callable[[], Any]) -> list[BaseException]:
    """Run works in threads that begin at the same moment. Returns their errors."""
    errors: list[BaseException] = []
    barrier = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            # SQLite refuses a second writer that waits too long.
            for attempt in range(20):
                try:
                    work()
                    return
                except OperationalError as error:
                    if connection.vendor != "sqlite" or "locked" not in str(error) or attempt == 19:
                        raise
        except BaseException as error:  # noqa: BLE001 -- reported by the test
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("due", [False, True], ids=["just-deleted", "swept-at-once"])
def test_a_product_that_gets_a_photo_while_another_loses_it_keeps_the_file(
    media_root: Path, settings: Any, due: bool
) -> None:
    """Delete, attach, sweep and check at the same moment, in each round."""
    one, _ = save_product(ProductData("one", "One"))
    other, _ = save_product(ProductData("other", "Other"))
    lost = []
    for number in range(ROUNDS):
        shared = photo(number)
        image, _ = attach_image(one, shared)
        delete: Callable[[], int] = partial(remove_images, [image.pk])
        if due:
            # The file's time has come already, and so the sweep deletes it at the same moment.
            delete()
            pass_time()
            delete = unused_files.sweep
        assert at_once(delete, partial(attach_image, other, shared), unused_files.sweep) == []
        pass_time()
        unused_files.sweep()
        kept = ProductImage.objects.get(product=other)
        if not (media_root / str(kept.file.name)).is_file():
            lost.append(number)
        remove_images([kept.pk])
    assert lost == []
    pass_time()
    unused_files.sweep()
    assert files(media_root) == []


@pytest.mark.django_db(transaction=True)
def test_deleting_orphans_beside_attaching_loses_nothing(media_root: Path) -> None:
    product, _ = save_product(ProductData("one", "One"))
    for number in range(ROUNDS // 2):
        shared = photo(number)
        image, _ = attach_image(product, shared)
        name = str(image.file.name)
        remove_images([image.pk])
        UnusedFile.objects.all().delete()
        errors = at_once(partial(unused_files.delete_now, [name]), partial(attach_image, product, shared))
        assert errors == []
        assert (media_root / name).is_file()
        remove_images([ProductImage.objects.get().pk])


@pytest.mark.django_db
def test_a_photo_whose_file_is_lost_is_stored_again_by_an_upload_for_all_its_products(media_root: Path) -> None:
    one, _ = save_product(ProductData("one", "One"))
    other, _ = save_product(ProductData("other", "Other"))
    image, _ = attach_image(one, photo())
    shared, _ = attach_image(other, photo())
    path = media_root / str(image.file.name)
    path.unlink()
    with pytest.raises(SystemExit):
        call_command("check_media")
    assert set(ProductImage.objects.values_list("file_missing", flat=True)) == {True}
    again, is_new = attach_image(other, photo())
    assert (again.pk, is_new) == (shared.pk, False)
    assert path.read_bytes() == photo().content
    assert set(ProductImage.objects.values_list("file_missing", flat=True)) == {False}


@pytest.mark.django_db
def test_attaching_takes_the_file_off_the_list() -> None:
    product, _ = save_product(ProductData("mug", "Mug"))
    image, _ = attach_image(product, photo())
    remove_images([image.pk])
    (listed,) = UnusedFile.objects.all()
    assert listed.name == image.file.name
    assert timezone.now() - listed.unused_since < timedelta(minutes=1)
    attach_image(product, photo())
    assert not UnusedFile.objects.exists()
