"""Corrections of single products, each with what it has changed, so that it can be undone."""

from __future__ import annotations

from typing import Any, BinaryIO, cast

from django.core.files.storage import default_storage
from django.db import transaction
from django.utils.translation import gettext as _

from catalog.models import Category, Product, ProductImage
from catalog.photo_roles import choose_roles
from catalog.services import attach_image, products_were_changed, remove_images, save_product
from pictures.photos import read_photo
from product_files.product_data import ProductData


class CorrectionNotPossible(ValueError):
    """The product is no longer as it was. The message is for the person who asked."""


@transaction.atomic
def move_to_category(product_id: int, path: str) -> dict[str, Any]:
    """Give a product another main category.

    Args:
        product_id: the product.
        path: of the category.

    Returns:
        What was changed, for `undo`.

    Raises:
        CorrectionNotPossible: there is no such product or category.
    """
    product = _locked(product_id)
    category = Category.objects.filter(path=path).first()
    if category is None:
        raise CorrectionNotPossible(_("The category %s does not exist any more.") % path)
    before = {"category": product.category_id, "set": category.pk}
    _save_category(product, category)
    return before


@transaction.atomic
def set_attribute(product_id: int, name: str, value: str) -> dict[str, Any]:
    """Set an attribute of a product.

    Args:
        product_id: the product.
        name: of the attribute.
        value: the new one.

    Returns:
        What was changed, for `undo`.

    Raises:
        CorrectionNotPossible: there is no such product.
    """
    product = _locked(product_id)
    before = {"attribute": name, "value": product.attributes.get(name), "set": value}
    _save_attribute(product, name, value)
    return before


@transaction.atomic
def remove_photo(image_id: int) -> dict[str, Any]:
    """Remove a photo; its file stays for DELETED_PHOTOS_KEEP_MINUTES, for as long as that can be undone.

    Args:
        image_id: the photo.

    Returns:
        What was changed, for `undo`.

    Raises:
        CorrectionNotPossible: there is no such photo.
    """
    image = _photo(image_id)
    before = {"file": str(image.file.name), "position": image.position, "alt": image.alt}
    remove_images([image_id])
    return before


@transaction.atomic
def ignore_photo(image_id: int) -> dict[str, Any]:
    """Give a photo, wherever it is used, the role `ignored`: it is shown, and neither compared nor found.

    Args:
        image_id: the photo.

    Returns:
        What was changed, for `undo`.

    Raises:
        CorrectionNotPossible: there is no such photo.
    """
    image = _photo(image_id)
    chosen = image.role if image.role_source == ProductImage.RoleSource.CHOSEN else ""
    choose_roles({image_id: ProductImage.Role.IGNORED})
    return {"photo": image_id, "role": chosen}


@transaction.atomic
def undo(product_id: int, before: dict[str, Any]) -> ProductImage | None:
    """Take a correction back.

    Args:
        product_id: the product.
        before: from the correction.

    Returns:
        The photo, if one was brought back; it has another id.

    Raises:
        CorrectionNotPossible: what was set was changed since, or the file of the photo is gone.
    """
    product = _locked(product_id)
    if "file" in before:
        try:
            with default_storage.open(before["file"]) as file:
                photo = read_photo(cast("BinaryIO", file))
        except FileNotFoundError:
            raise CorrectionNotPossible(_("The file of the photo was deleted since: upload it again.")) from None
        return attach_image(product, photo, alt=before["alt"], position=before["position"])[0]
    if "photo" in before:
        image = ProductImage.objects.filter(pk=before["photo"]).first()
        _check(image is not None and image.role == ProductImage.Role.IGNORED)
        choose_roles({before["photo"]: before["role"]})
        return None
    if "attribute" in before:
        name = before["attribute"]
        _check(product.attributes.get(name) == before["set"])
        _save_attribute(product, name, before["value"])
    else:
        _check(product.category_id == before["set"])
        _save_category(product, Category.objects.filter(pk=before["category"]).first())
    return None


def _save_attribute(product: Product, name: str, value: Any) -> None:
    """Set one attribute of a product. value: None to remove it."""
    attributes = {} if value is None else {name: value}
    save_product(ProductData(product.sku, product.title, attributes=attributes), fields={f"attributes.{name}"})


def _save_category(product: Product, category: Category | None) -> None:
    product.category = category
    product.save(update_fields=["category", "updated_at"])
    products_were_changed([product.pk])


def _locked(product_id: int) -> Product:
    product = Product.objects.select_for_update().filter(pk=product_id).first()
    if product is None:
        raise CorrectionNotPossible(_("The product was deleted."))
    return product


def _check(unchanged: bool) -> None:
    if not unchanged:
        raise CorrectionNotPossible(_("The product was changed since: change it on its own page."))


def _photo(image_id: int) -> ProductImage:
    image = ProductImage.objects.filter(pk=image_id).first()
    if image is None:
        raise CorrectionNotPossible(_("The photo was removed already."))
    return image
