"""The product form and the bulk edit, by mouse, by keyboard, on a phone, and without scripts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from accounts.models import User
from catalog.models import Product
from catalog.services import attach_image
from pictures.photos import validate_photo
from tests.browser.conftest import DEVICES, Screen, until
from tests.browser.looks import AXE, find_violations_in_both
from tests.catalog.shop import stock
from tests.factories import jpeg

pytestmark = pytest.mark.django_db(transaction=True)

TEXTS, PHOTOS = "Description and attributes", "Photos"

on_every_device = pytest.mark.parametrize("screen", DEVICES)


@pytest.fixture
def owner(sign_in: Callable[[User], None]) -> User:
    """Who has signed in."""
    owner = User.objects.create_superuser("owner", "owner@shop.example", "secret")
    sign_in(owner)
    return owner


@pytest.fixture
def product(shop_url: str) -> Product:
    """A product with three photos, tags and attributes."""
    product = stock("Blue mug", photos=0, tags=["summer", "a, b"], attributes={"colour": "blue", "size": 12})
    for colour in ("red", "green", "blue"):
        attach_image(product, validate_photo(jpeg(colour, (60, 40))), alt=colour)
    return product


def open_form(page: Page, shop_url: str, product: Product, part: str = "Product") -> None:
    page.goto(f"{shop_url}/admin/catalog/product/{product.pk}/change/")
    open_part(page, part)


def open_part(page: Page, name: str) -> None:
    page.get_by_role("tab", name=re.compile(rf"^{name}( Errors: \d+)?$")).click()


def save(page: Page) -> None:
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()


def saved(product: Product) -> Product:
    return Product.objects.get(pk=product.pk)


def alts(product: Product) -> list[str]:
    return [image.alt for image in product.images.all()]


def choose(page: Page, **colours: str) -> None:
    """Choose files with these names and colours."""
    page.locator(".new-photos input[type=file]").set_input_files(
        [
            {"name": f"{name}.jpg", "mimeType": "image/jpeg", "buffer": jpeg(colour, (60, 40))}
            for name, colour in colours.items()
        ]
    )


def tile(page: Page, number: int) -> Locator:
    return page.locator(".photo-tile").nth(number - 1)


def paste(field: Locator, text: str) -> None:
    """Paste a text, as the browser does it."""
    field.evaluate(
        """(field, text) => {
            const data = new DataTransfer();
            data.setData("text", text);
            field.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
        }""",
        text,
    )


class TestParts:
    @on_every_device
    def test_one_part_is_shown_at_a_time_and_each_has_an_address(
        self, page: Page, screen: Screen, shop_url: str, owner: User, product: Product
    ) -> None:
        page.goto(f"{shop_url}/admin/catalog/product/{product.pk}/change/")
        for name, field in (("Product", "title"), (TEXTS, "description"), (PHOTOS, "new_photos")):
            open_part(page, name)
            expect(page.locator(f"#id_{field}")).to_be_visible()
            expect(page.get_by_role("tabpanel")).to_have_count(1)
            if AXE.exists():
                assert find_violations_in_both(page, screen.scheme) == []
        page.reload()
        expect(page.get_by_role("tab", name=PHOTOS)).to_have_attribute("aria-selected", "true")
        open_part(page, "Similar products")
        expect(page.get_by_role("heading", name="Similar products, as visitors see them")).to_be_visible()

    def test_they_are_chosen_by_keys_and_stay_chosen_after_saving(
        self, page: Page, shop_url: str, owner: User, product: Product
    ) -> None:
        open_form(page, shop_url, product)
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("tab", name=TEXTS)).to_be_focused()
        page.keyboard.press("Tab")
        expect(page.get_by_label("Description", exact=True)).to_be_focused()
        page.keyboard.type("Holds much. ")
        save(page)
        expect(page.get_by_label("Description", exact=True)).to_be_visible()
        page.get_by_role("tab", name=TEXTS).focus()
        page.keyboard.press("End")
        page.keyboard.press("ArrowRight")
        expect(page.locator("#id_title")).to_be_visible()

    def test_the_one_with_a_mistake_opens_and_its_tab_says_so(
        self, page: Page, shop_url: str, owner: User, product: Product
    ) -> None:
        open_form(page, shop_url, product)
        page.locator("#id_title").fill("")
        page.get_by_label("SKU").fill("")
        open_part(page, PHOTOS)
        page.get_by_role("button", name="Save and continue editing").click()
        expect(page.get_by_role("tab", name="Product Errors: 2")).to_have_attribute("aria-selected", "true")
        expect(page.get_by_text("This field is required.").first).to_be_visible()
        expect(page.get_by_role("tab", name=PHOTOS)).not_to_contain_text("1")

    def test_the_one_with_a_mistake_that_is_not_sent_opens(
        self, page: Page, shop_url: str, owner: User, product: Product
    ) -> None:
        open_form(page, shop_url, product, TEXTS)
        page.get_by_role("button", name="Add an attribute").click()
        page.keyboard.type("colour")
        open_part(page, "Product")
        page.get_by_role("button", name="Save and continue editing").click()
        expect(page.get_by_text("This name is used twice")).to_be_visible()
        expect(page.get_by_label("Name of the attribute").last).to_be_focused()

    def test_the_one_with_the_field_that_a_link_names_opens(
        self, page: Page, shop_url: str, owner: User, product: Product
    ) -> None:
        page.goto(f"{shop_url}/admin/catalog/product/{product.pk}/change/#id_description")
        expect(page.get_by_label("Description", exact=True)).to_be_focused()
        page.evaluate("location.hash = 'id_price'")
        expect(page.get_by_label("Price", exact=True)).to_be_focused()


class TestTags:
    def test_enter_and_commas_add_them_and_backspace_removes_the_last(
        self, page: Page, shop_url: str, owner: User, product: Product
    ) -> None:
        open_form(page, shop_url, product, TEXTS)
        field = page.get_by_role("textbox", name="Tags").or_(page.get_by_role("combobox", name="Tags"))
        field.press_sequentially("linen,")
        field.press_sequentially("to be removed")
        field.press("Enter")
        field.press("Backspace")
        field.press_sequentially('"x, y"')
        field.press("Enter")
        field.press_sequentially("summer")
        field.press("Enter")
        field.press_sequentially("typed and left")
        save(page)
        assert saved(product).tags == ["summer", "a, b", "linen", "x, y", "typed and left"]

    def test_a_pasted_list_becomes_tags_and_each_has_a_button(
        self, page: Page, shop_url: str, owner: User, product: Product
    ) -> None:
        open_form(page, shop_url, product, TEXTS)
        paste(page.locator("#id_tags-add"), 'Größe, "1, 2 or 3"\n色, summer')
        page.get_by_role("button", name="Remove the tag a, b").click()
        expect(page.locator(".chips [role=status]")).to_have_text("Removed: a, b")
        save(page)
        assert saved(product).tags == ["summer", "Größe", "1, 2 or 3", "色"]

    def test_known_tags_are_offered(self, page: Page, shop_url: str, owner: User, product: Product) -> None:
        stock(photos=0, tags=["stoneware", "stove-proof"])
        open_form(page, shop_url, product, TEXTS)
        page.locator("#id_tags-add").press_sequentially("sto")
        options = page.locator("datalist option[value^=sto]")
        expect(options).to_have_count(2)
        assert {option.get_attribute("value") for option in options.all()} == {"stoneware", "stove-proof"}

    def test_opening_and_saving_a_product_changes_nothing(
        self, page: Page, shop_url: str, owner: User, product: Product
    ) -> None:
        before = saved(product).attributes, saved(product).tags, list(product.images.values())
        open_form(page, shop_url, product, TEXTS)
        save(page)
        assert (saved(product).attributes, saved(product).tags, list(product.images.values())) == before
        page.goto(f"{shop_url}/admin/catalog/product/{product.pk}/history/")
        expect(page.get_by_text("No fields changed.")).to_be_visible()


class TestAttributes:
    def test_rows_are_added_changed_and_removed_and_numbers_stay_numbers(
        self, page: Page, shop_url: str, owner: User, product: Product
    ) -> None:
        Product.objects.filter(pk=product.pk).update(
            attributes={"colour": "blue", "size": 12, "ean": 12345678901234567890, "care": ["warm", "gentle"]}
        )
        open_form(page, shop_url, product, TEXTS)
        page.get_by_label("Value of size").fill("14")
        page.get_by_role("button", name="Remove the attribute colour").click()
        page.get_by_role("button", name="Add an attribute").click()
        page.keyboard.type("material")
        page.keyboard.press("Enter")
        page.keyboard.type('oak, "oiled"')
        page.keyboard.press("Enter")
        page.keyboard.type("10")
        page.keyboard.press("Enter")
        page.keyboard.type("5")
        save(page)
        assert saved(product).attributes == {
            "size": 14, "ean": 12345678901234567890, "care": ["warm", "gentle"], "material": 'oak, "oiled"', "10": "5",
        }  # fmt: skip

    def test_a_name_that_is_used_twice_or_missing_is_not_sent(
        self, page: Page, shop_url: str, owner: User, product: Product
    ) -> None:
        open_form(page, shop_url, product, TEXTS)
        page.get_by_role("button", name="Add an attribute").click()
        page.keyboard.type("colour")
        page.keyboard.press("Enter")
        page.keyboard.type("red")
        page.get_by_role("button", name="Save and continue editing").click()
        expect(page.get_by_text("This name is used twice")).to_be_visible()
        page.get_by_label("Name of the attribute").last.fill("")
        page.get_by_role("button", name="Save and continue editing").click()
        expect(page.get_by_text("Enter the name of this attribute.")).to_be_visible()
        page.get_by_label("Name of the attribute").last.fill("second colour")
        save(page)
        assert saved(product).attributes == {"colour": "blue", "size": 12, "second colour": "red"}

    def test_known_names_and_the_values_of_a_name_are_offered(
        self, page: Page, shop_url: str, owner: User, product: Product
    ) -> None:
        stock(photos=0, attributes={"material": "oak", "colour": "teal"})
        open_form(page, shop_url, product, TEXTS)
        page.get_by_role("button", name="Add an attribute").click()
        page.keyboard.type("mat")
        expect(page.locator("datalist option[value=material]")).to_have_count(1)
        page.get_by_label("Value of colour").fill("te")
        expect(page.locator("datalist option[value=teal]")).to_have_count(1)


class TestPhotos:
    def test_they_are_put_in_order_by_dragging(self, page: Page, shop_url: str, owner: User, product: Product) -> None:
        open_form(page, shop_url, product, PHOTOS)
        last, first = tile(page, 3).locator(".picture"), tile(page, 1).locator(".picture")
        last.scroll_into_view_if_needed()
        start, end = last.bounding_box(), first.bounding_box()
        assert start is not None
        assert end is not None
        page.mouse.move(start["x"] + 40, start["y"] + 40)
        page.mouse.down()
        page.mouse.move(end["x"] + 40, end["y"] + 40, steps=8)
        page.mouse.up()
        expect(page.locator(".new-photos [role=status]")).to_have_text("Moved to place 1 of 3.")
        expect(tile(page, 1).get_by_text("Main photo")).to_be_visible()
        save(page)
        assert alts(product) == ["blue", "red", "green"]

    def test_escape_ends_dragging_and_leaves_the_order(
        self, page: Page, shop_url: str, owner: User, product: Product
    ) -> None:
        open_form(page, shop_url, product, PHOTOS)
        tile(page, 3).locator(".grip").hover()
        page.mouse.down()
        tile(page, 1).hover(force=True)
        page.keyboard.press("Escape")
        page.mouse.up()
        expect(tile(page, 3).get_by_label("Alternative text")).to_have_value("blue")

    def test_they_are_put_in_order_by_keys_and_by_buttons(
        self, page: Page, shop_url: str, owner: User, product: Product
    ) -> None:
        open_form(page, shop_url, product, PHOTOS)
        tile(page, 1).locator(".grip").focus()
        page.keyboard.press("End")
        expect(page.get_by_role("button", name="Move photo 3: drag it, or use the arrow keys")).to_be_focused()
        page.keyboard.press("ArrowLeft")
        expect(page.locator(".new-photos [role=status]")).to_have_text("Moved to place 2 of 3.")
        page.get_by_role("button", name="Move photo 3 earlier").click()
        page.get_by_role("button", name="Move photo 2 earlier").click()
        save(page)
        assert alts(product) == ["blue", "green", "red"]

    @on_every_device
    def test_chosen_files_are_previewed_described_and_saved_among_the_others(
        self, page: Page, screen: Screen, shop_url: str, owner: User, product: Product
    ) -> None:
        open_form(page, shop_url, product, PHOTOS)
        choose(page, teal="teal", orange="orange")
        choose(page, black="black", unwanted="white")
        expect(page.locator(".photo-tile")).to_have_count(7)
        until(page, lambda: tile(page, 4).locator("img").evaluate("image => image.naturalWidth") == 60)
        tile(page, 4).get_by_label("Alternative text").fill("In teal")
        tile(page, 5).get_by_label("Alternative text").fill("In orange")
        tile(page, 6).get_by_label("Alternative text").fill("In black")
        tile(page, 7).get_by_label("Do not add").check()
        page.get_by_role("button", name="Move photo 5 earlier").click()
        tile(page, 6).locator(".grip").press("Home")
        if AXE.exists():
            assert find_violations_in_both(page, screen.scheme) == []
        save(page)
        assert alts(product) == ["In black", "red", "green", "blue", "In orange", "In teal"]

    @on_every_device
    def test_after_a_mistake_files_order_texts_and_marks_are_still_there(
        self, page: Page, screen: Screen, shop_url: str, owner: User, product: Product
    ) -> None:
        open_form(page, shop_url, product, PHOTOS)
        choose(page, teal="teal")
        tile(page, 4).get_by_label("Alternative text").fill("In teal")
        tile(page, 4).locator(".grip").press("Home")
        tile(page, 2).get_by_label("Remove").check()
        open_part(page, "Product")
        page.locator("#id_price").fill("-1")
        page.get_by_role("button", name="Save and continue editing").click()

        expect(page.get_by_text("The price must not be negative.")).to_be_visible()
        open_part(page, PHOTOS)
        expect(tile(page, 1).get_by_label("Alternative text")).to_have_value("In teal")
        expect(tile(page, 1).get_by_text("Main photo")).to_be_visible()
        until(page, lambda: tile(page, 1).locator("img").evaluate("image => image.naturalWidth") > 0)
        expect(tile(page, 2).get_by_label("Remove")).to_be_checked()
        if AXE.exists():
            assert find_violations_in_both(page, screen.scheme) == []
        tile(page, 2).get_by_label("Remove").uncheck()
        tile(page, 3).get_by_label("Remove").check()
        choose(page, orange="orange")
        open_part(page, "Product")
        page.locator("#id_price").fill("9.5")
        save(page)
        assert alts(product) == ["In teal", "red", "blue", ""]
        assert saved(product).price == Decimal("9.5")

    def test_a_new_product_gets_its_photos_in_order(self, page: Page, shop_url: str, owner: User) -> None:
        page.goto(f"{shop_url}/admin/catalog/product/add/")
        page.get_by_label("Title").fill("Oak tray")
        page.get_by_label("SKU").fill("TRAY-1")
        open_part(page, PHOTOS)
        choose(page, front="teal", back="orange")
        tile(page, 1).get_by_label("Alternative text").fill("front")
        tile(page, 2).get_by_label("Alternative text").fill("back")
        page.get_by_role("button", name="Move photo 2 earlier").click()
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_text("2 photos were added.")).to_be_visible()
        assert alts(Product.objects.get(sku="TRAY-1")) == ["back", "front"]


@on_every_device
def test_the_products_that_the_list_finds_are_changed_after_a_preview(
    page: Page, screen: Screen, shop_url: str, owner: User
) -> None:
    mugs = [stock(f"Mug {number}", photos=0, price="24.90", brand="Kiln") for number in range(51)]
    other = stock("Hat", photos=0, price="24.90", brand="Harbour")
    page.goto(f"{shop_url}/admin/catalog/product/")
    page.get_by_role("button", name="Filters").click()
    page.get_by_label("By brand").press_sequentially("Ki")
    expect(page.locator("datalist option[value=Kiln]")).to_have_count(1)
    page.get_by_label("By brand").fill("Kiln")
    page.get_by_label("Lowest price").fill("20")
    page.get_by_label("Highest price").fill("30")
    page.get_by_role("button", name="Apply Filters").click()
    page.locator("#action-toggle").first.check(force=True)
    page.get_by_text("Select all 51 products").click()
    page.locator("select[name=action]").first.select_option(label="Change price, stock or activity")
    page.get_by_role("button", name="Run").first.click()
    page.get_by_label("Price", exact=True).select_option(label="lower by percent")
    page.get_by_label("Amount or percent, for the price").fill("15")
    page.get_by_label("List price", exact=True).select_option(label="set to the price before this change")
    page.get_by_label("Stock").select_option(label="not available")
    page.get_by_role("button", name="Preview").click()

    expect(page.get_by_text("51 products will be changed.")).to_be_visible()
    expect(page.get_by_role("row", name="Mug 50").get_by_text("€21.17")).to_be_visible()
    if AXE.exists():
        assert find_violations_in_both(page, screen.scheme) == []
    page.get_by_role("button", name="Change 51 products").click()

    expect(page.get_by_text("51 products were changed.")).to_be_visible()
    assert set(Product.objects.filter(brand="Kiln").values_list("price", "list_price", "available")) == {
        (Decimal("21.17"), Decimal("24.9"), False)
    }
    assert len(mugs) == Product.objects.filter(available=False).count()
    assert saved(other).price == Decimal("24.9")


def test_where_the_scripts_do_not_run_all_of_it_is_text_and_numbers(
    page: Page, shop_url: str, owner: User, product: Product
) -> None:
    page.route("**/static/catalog/*.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
    page.route("**/static/accounts/*.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
    page.goto(f"{shop_url}/admin/catalog/product/{product.pk}/change/")
    page.locator("#id_tags").fill('["plain"]')
    sent: dict[str, Any] = {"colour": "red", "size": [1, 2]}
    page.locator("#id_attributes").fill(json.dumps(sent))
    page.get_by_label("Position").first.fill("9")
    choose(page, teal="teal")
    save(page)
    assert (saved(product).tags, saved(product).attributes) == (["plain"], sent)
    assert alts(product) == ["green", "blue", "red", ""]
