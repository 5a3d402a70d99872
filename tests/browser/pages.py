"""A table of all pages, and the shop in which the tests open them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO, StringIO

from django.core.cache import caches
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from accounts import keys
from accounts.models import ApiKey, AuditEntry, User
from catalog.importers.run import ImportOptions
from catalog.importers.scheduled_feeds import save_feed
from catalog.importers.submission import submit_import
from catalog.models import Feed, Product
from catalog.services import attach_image, withdraw_products
from docs.screenshots import preview_bulk_edit
from embeddings.models import Collection, Diagnosis, EncoderVersion, ImageEmbedding
from embeddings.versions import create_version, prepare
from jobs.models import Job
from pictures.photos import validate_photo
from recommender.models import Event, Rule
from recommender.rules.services import save_rule, save_set
from tests.catalog.shop import stock
from tests.factories import jpeg
from training.job_kinds import TRAIN

# Enough for a second page of their list.
PRODUCTS = 27
# One of the rows has no title.
CATALOGUE = b"sku,title,price\nNEW-1,Green jug,5\nNEW-2,,6\nNEW-3,Straw hat,7\n"
FILTERED = "/categories/home/mugs/?brand=Harbour&max_price=20&available=1&sort=price"


@dataclass(frozen=True)
class Shop:
    """The contents of the shop."""

    url: str
    owner: User
    product: Product
    bare: Product
    gone: Product
    version: EncoderVersion
    other_version: EncoderVersion
    job: Job
    tried: Job
    feed: Feed
    key: ApiKey
    rule: Rule


@dataclass(frozen=True)
class Shown:
    """A page: its URL, how to recognise that it is complete, and who can open it.

    `way`: what is clicked to get there. `status`: what it answers with. `ours`: whether its markup is ours to mend (the API's
    documentation is not).
    """

    name: str
    path: Callable[[Shop], str]
    whole: Callable[[Page], Locator]
    way: Callable[[Page], None] | None = None
    signed_in: bool = False
    status: int = 200
    ours: bool = True

    def __str__(self) -> str:
        return self.name


def _heading(text: str) -> Callable[[Page], Locator]:
    return lambda page: page.get_by_role("heading", name=text, exact=True).first


def _strip(page: Page) -> Locator:
    """The first of the similar products, after scrolling to it."""
    page.locator("similar-products").scroll_into_view_if_needed()
    return page.locator("similar-products a").first


def _fill_basket(page: Page) -> None:
    page.get_by_role("button", name="Add to basket").click()
    page.get_by_role("link", name="Go to the basket").click()


def _order(page: Page) -> None:
    _fill_basket(page)
    page.get_by_role("button", name="Place the order").click()


def _back_office(name: str, model: str, row: Callable[[Shop], object] | None = None, *, action: str = "") -> Shown:
    """A page of the admin: the list of a model, or one row."""
    action = action or ("changelist" if row is None else "change")

    def path(shop: Shop) -> str:
        return reverse(f"admin:{model}_{action}", args=None if row is None else [row(shop)])

    whole = "#result_list" if action == "changelist" else "#content form"
    return Shown(name, path, lambda page: page.locator(whole).first, signed_in=True)


STOREFRONT = [
    Shown("home", lambda _: "/", _heading("New arrivals")),
    Shown("all products, second page", lambda _: "/products/?page=2", _heading("All products")),
    Shown("category", lambda _: "/categories/home/mugs/", _heading("Mugs")),
    Shown("category with filters", lambda _: FILTERED, lambda page: page.get_by_role("link", name="Clear all")),
    Shown("search", lambda _: "/products/?q=teapot", _heading("Results for “teapot”")),
    Shown("search without results", lambda _: "/products/?q=nothing", lambda page: page.get_by_text("Nothing matches")),
    Shown("product", lambda shop: shop.product.get_absolute_url(), _strip),
    Shown(
        "product without photo",
        lambda shop: shop.bare.get_absolute_url(),
        lambda page: page.get_by_text("No photo yet", exact=True),
    ),
    Shown("visual search", lambda _: "/visual-search/", lambda page: page.locator("visual-search .choose")),
    Shown("empty basket", lambda _: "/basket/", lambda page: page.get_by_text("nothing in your basket")),
    Shown("basket", lambda shop: shop.product.get_absolute_url(), _heading("Your basket"), _fill_basket),
    Shown("order placed", lambda shop: shop.product.get_absolute_url(), _heading("Thank you for your order"), _order),
    Shown("not found", lambda _: "/products/999999/gone/", _heading("Page not found"), status=404),
    Shown("a product that is gone", lambda shop: shop.gone.get_absolute_url(), _strip, status=410),
    Shown("API documentation", lambda _: "/api/docs", lambda page: page.locator(".opblock").first, ours=False),
    Shown("sign in", lambda _: "/admin/login/", lambda page: page.get_by_label("Password")),
]
BACK_OFFICE = [
    Shown("overview", lambda _: "/admin/", _heading("Popular products with poor recommendations"), signed_in=True),
    Shown(
        "what they bring", lambda _: "/admin/visitors/", _heading("By collection and encoder version"), signed_in=True
    ),
    Shown("embed in my pages", lambda _: "/admin/embed/", _heading("Test my page"), signed_in=True),
    Shown(
        "train a ranker",
        lambda _: "/admin/train-ranker/",
        _heading("An order of searches that people agree with"),
        signed_in=True,
    ),
    Shown("improve on my photos", lambda _: "/admin/improve/", _heading("Photos by category"), signed_in=True),
    Shown(
        "visual search of the admin",
        lambda _: "/admin/visual-search/",
        _heading("What shoppers would see"),
        signed_in=True,
    ),
    Shown(
        "near-duplicates",
        lambda _: "/admin/catalog/duplicatepair/",
        lambda page: page.locator(".candidates").first,
        signed_in=True,
    ),
    Shown(
        "catalogue doctor",
        lambda _: "/admin/embeddings/diagnosis/",
        lambda page: page.locator(".candidates").first,
        signed_in=True,
    ),
    _back_office("products", "catalog_product"),
    Shown(
        "a bulk edit of products",
        lambda _: "/admin/catalog/product/",
        lambda page: page.get_by_role("heading", name="Preview"),
        preview_bulk_edit,
        signed_in=True,
    ),
    _back_office("a product", "catalog_product", lambda shop: shop.product.pk),
    _back_office("a new product", "catalog_product", action="add"),
    _back_office("categories", "catalog_category"),
    _back_office("a category", "catalog_category", lambda shop: shop.product.category_id),
    _back_office("a new category", "catalog_category", action="add"),
    Shown(
        "ranker versions",
        lambda _: reverse("admin:embeddings_rankerversion_changelist"),
        lambda page: page.locator("#changelist"),
        signed_in=True,
    ),
    _back_office("rule sets", "recommender_ruleset"),
    _back_office("a rule set", "recommender_ruleset", lambda shop: shop.rule.rule_set_id),
    Shown(
        "the kinds of rules",
        lambda _: "/admin/recommender/rule/add/",
        _heading("What should the rule do?"),
        signed_in=True,
    ),
    Shown(
        "a new rule",
        lambda _: "/admin/recommender/rule/add/?kind=boost",
        lambda page: page.locator("#content form").first,
        signed_in=True,
    ),
    _back_office("rules", "recommender_rule"),
    _back_office("a rule", "recommender_rule", lambda shop: shop.rule.pk),
    Shown(
        "suggested walls",
        lambda _: "/admin/recommender/rule/walls/",
        _heading("Attributes that may be a wall"),
        signed_in=True,
    ),
    Shown(
        "a strip before and after rules",
        lambda shop: f"/admin/recommender/ruleset/{shop.rule.rule_set_id}/preview/?product={shop.product.sku}",
        _heading("What each rule did"),
        signed_in=True,
    ),
    _back_office("collections", "embeddings_collection"),
    _back_office("a new collection", "embeddings_collection", action="add"),
    _back_office("a collection", "embeddings_collection", lambda shop: shop.version.collection_id),
    _back_office("encoder versions", "embeddings_encoderversion"),
    _back_office("an encoder version", "embeddings_encoderversion", lambda shop: shop.version.pk),
    Shown(
        "an activation",
        lambda shop: reverse("admin:activation", args=[shop.other_version.pk]),
        lambda page: page.get_by_role("heading", name="After").first,
        signed_in=True,
    ),
    _back_office("photos in the index", "embeddings_imageembedding"),
    _back_office("jobs", "jobs_job"),
    _back_office("a job under way", "jobs_job", lambda shop: shop.job.pk),
    Shown(
        "an import",
        lambda _: "/admin/catalog/product/import/",
        lambda page: page.get_by_role("button", name="Upload and look at it"),
        signed_in=True,
    ),
    _back_office("an import that was tried out", "jobs_job", lambda shop: shop.tried.pk),
    _back_office("feeds", "catalog_feed"),
    _back_office("a feed", "catalog_feed", lambda shop: shop.feed.pk),
    _back_office("a new feed", "catalog_feed", action="add"),
    _back_office("API keys", "accounts_apikey"),
    _back_office("an API key", "accounts_apikey", lambda shop: shop.key.pk),
    _back_office("a new API key", "accounts_apikey", action="add"),
    _back_office("audit log", "accounts_auditentry"),
    _back_office("an audit entry", "accounts_auditentry", lambda _: AuditEntry.objects.values_list("pk")[0][0]),
    _back_office("users", "accounts_user"),
    _back_office("a user", "accounts_user", lambda shop: shop.owner.pk),
    _back_office("a new user", "accounts_user", action="add"),
    _back_office("a new group", "auth_group", action="add"),
]
PAGES = [*STOREFRONT, *BACK_OFFICE]


def furnish(url: str, index_photos: Callable[[], object]) -> Shop:
    """A shop with content for every page, indexed for the real API."""
    caches["process"].clear()
    for number in range(PRODUCTS - 4):
        stock(f"Mug {number}", brand="Harbour", available=number % 3 > 0)
    stock("Linen shirt", category=("Clothing", "Shirts"), price=None)
    stock("A teapot with a name that is so long that it hardly fits beside anything else", category=("Home", "Teapots"))
    product = stock("Blue mug", photos=2, brand="Harbour", description="Holds 350 ml.", attributes={"colour": "blue"})
    twin = stock("Blue mug, once more", photos=0)
    for same in (product, twin):
        attach_image(same, validate_photo(jpeg()))
    bare = stock("Teapot of which there is no photo yet", photos=0, category=("Home", "Teapots"))
    gone = stock("Mug of last year", category=("Home", "Mugs"))
    index_photos()
    withdraw_products([gone.pk])
    call_command("find_duplicates", stdout=StringIO())
    call_command("doctor", stdout=StringIO())
    Diagnosis.objects.create(kind=Diagnosis.Kind.CATEGORY, product=product, suggestion="home/teapots", confidence=0.9)
    tried = submit_import(BytesIO(CATALOGUE), ImportOptions(dry_run=True), file_name="spring.csv")
    work_off(tried)
    version = EncoderVersion.objects.get()
    other_version = create_version(version.collection, version.encoder)
    prepare(other_version)
    AuditEntry.objects.create(actor="owner", action="admin:login", target="/admin/login/", status=302)
    _events(product)
    broken = ImageEmbedding.objects.exclude(image_id__in=product.images.values("pk")).first()
    assert broken is not None
    ImageEmbedding.objects.filter(pk=broken.pk).update(state=ImageEmbedding.State.FAILED, error="The file is cut off.")
    return Shop(
        url=url,
        owner=User.objects.create_superuser("owner", "owner@shop.example", "secret"),
        product=product,
        bare=bare,
        gone=gone,
        version=version,
        other_version=other_version,
        job=_jobs(version.collection),
        tried=tried,
        feed=_feed(tried),
        key=keys.create(ApiKey(name="Shop pages", origins="https://shop.example")).row,
        rule=save_rule(save_set({"name": "trial"}), {"kind": "hide", "parameters": {"brand": ["Harbour"]}}),
    )


def work_off(job: Job) -> None:
    """Run an import like a child of the serving process."""
    Job.objects.filter(pk=job.pk).update(
        state=Job.State.RUNNING, heartbeat_at=timezone.now(), started_at=timezone.now()
    )
    call_command("run_import", "--job", str(job.pk))


def _feed(job: Job) -> Feed:
    """A feed whose last import was this one."""
    feed = Feed(name="Lamps", address="https://shop.example/lamps.xml")
    save_feed(feed, ImportOptions())
    Feed.objects.filter(pk=feed.pk).update(last_job=job)
    return feed


def _events(product: Product) -> None:
    """Record many impressions of the product's strip, and no clicks."""
    now = timezone.now()
    seen = {"product_id": product.pk, "results": [1, 2], "collection": "all", "encoder": "all-v1", "created_at": now}
    Event.objects.bulk_create([Event(type=Event.Type.IMPRESSION, **seen) for _ in range(120)])
    Event.objects.create(type=Event.Type.PURCHASE, product_id=product.pk, quantity=1, created_at=now)


def _jobs(collection: Collection) -> Job:
    """Create a job in each state, and return the running one."""
    of_all = {"kind": TRAIN, "collection": collection.slug}
    Job.objects.create(**of_all, state=Job.State.FAILED, error="There are fewer than two categories with photos.")
    Job.objects.create(**of_all, state=Job.State.CANCELLED)
    Job.objects.create(**of_all, state=Job.State.SUCCEEDED, result={"encoder": "all-v2"})
    return Job.objects.create(**of_all, state=Job.State.RUNNING, stage="features", done=3, total=10)


def assert_quiet(complaints: list[str], *expected: str) -> None:
    """Assert that all complaints of the browser match these patterns."""
    others = [complaint for complaint in complaints if not any(re.search(pattern, complaint) for pattern in expected)]
    assert not others, "\n".join(["the browser complains:", *others])


@contextmanager
def opened(page: Page, shop: Shop, shown: Shown, complaints: list[str]) -> Iterator[None]:
    """Open a page and wait until it is complete; at the end, assert that the browser did not complain."""
    try:
        page.goto(shop.url + shown.path(shop))
        if shown.way is not None:
            shown.way(page)
        expect(shown.whole(page)).to_be_visible()
        yield
        assert_quiet(complaints, *([] if shown.status == 200 else [f"status of {shown.status}"]))
    finally:
        complaints.clear()
