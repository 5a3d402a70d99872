"""The npm package, installed in an empty folder: in a page of React and Vue, on a server, and for the TypeScript compiler."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Page, expect

from catalog.models import Product
from recommender.models import Event
from tests.browser.conftest import Screen, until
from tests.browser.looks import AXE, find_violations_in_frames
from tests.catalog.shop import stock

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(settings.BASE_DIR)
MODULES = ROOT / "node_modules"
NEEDED = ("esbuild", "typescript", "react", "react-dom", "vue")

APP = """
import { createElement as e } from "react";
import { createRoot } from "react-dom/client";
import { SimilarProducts as ReactStrip, useSimilar } from "lookalike-widget/react";
import { createApp, h } from "vue";
import { SimilarProducts as VueStrip, useSimilar as useSimilarInVue } from "lookalike-widget/vue";

const { api, sku } = document.body.dataset;
const onClick = (event) => { event.preventDefault(); document.title = `clicked ${event.detail.product.title}`; };

function List() {
  const { results, isLoading } = useSimilar({ sku }, { api, limit: 1 });
  return e("p", { id: "react-hook" }, isLoading ? "…" : results.map(({ product }) => product.title).join());
}
createRoot(document.querySelector("#react")).render([
  e(ReactStrip, { key: 1, api, sku, heading: "React", limit: 2, minPrice: 1, onClick, transformItems: (all) => all.slice(0, 1) }),
  e(List, { key: 2 }),
]);

createApp({
  setup() {
    const { results } = useSimilarInVue(() => ({ sku }), { api, limit: 1 });
    return () => [
      h(VueStrip, { api, sku, heading: "Vue", limit: 2, minPrice: 1, onClick, transformItems: (all) => all.slice(0, 1) }),
      h("p", { id: "vue-hook" }, results.value.map(({ product }) => product.title).join()),
    ];
  },
}).mount("#vue");
"""

TYPED = """
import { similar, search, searchByPhoto, track, Problem, type SimilarResponse } from "lookalike-widget";
import "lookalike-widget/elements";
import { SimilarProducts, useSimilar } from "lookalike-widget/react";
import { useSimilar as useSimilarInVue } from "lookalike-widget/vue";

export async function titles(): Promise<string[]> {
  const options = { api: "https://r.example", minPrice: 5, attribute: { colour: ["blue"] } };
  const found: SimilarResponse = await similar({ sku: "MUG-17" }, options);
  const page = await search("mug", { limit: 3, facets: true });
  const { encoder } = await searchByPhoto(new Blob([]), { limit: 3 });
  track("click", { product: found.product, result: 1, position: 1, collection: "all", encoder });
  return [...found.results.map(({ product }) => product.title), ...page.results.map(({ product }) => product.title)];
}
document.querySelector("similar-products")!.renderItem = ({ product, position }) => `${position} ${product.title}`;
export const failed = (error: unknown): number => (error instanceof Problem ? error.status : -1);
export const strip = SimilarProducts({ sku: "MUG-17" });
export const parts = [useSimilar({ product: 1 }).results, useSimilarInVue({ skus: ["a"] }).isLoading.value];
// @ts-expect-error a product is named by a number or a SKU
similar({ name: "mug" });
"""

SERVER = """
import { search, similar } from "lookalike-widget";
const [sku, api] = process.argv.slice(2);
const found = [await similar({ sku }, { api, limit: 1 }), await search("red", { api, liked: [sku] })];
console.log(JSON.stringify(found.map(({ results }) => results[0].product.title)));
"""


def run(*command: str, folder: Path) -> str:
    done = subprocess.run([*command], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder with the package installed from its archive, and React and Vue beside it."""
    missing = [name for name in NEEDED if not (MODULES / name).exists()]
    if missing or shutil.which("npm") is None:
        pytest.skip(f"not installed: {', '.join(missing) or 'npm'} (`make test` runs npm ci where there is npm)")
    folder = tmp_path_factory.mktemp("project")
    run("node", "widget/build.js", "--package", str(folder / "package"), folder=ROOT)
    run("npm", "pack", "./package", "--silent", folder=folder)
    (folder / "package.json").write_text(json.dumps({"type": "module", "private": True}))
    (archive,) = folder.glob("*.tgz")
    run("npm", "install", "--offline", "--no-audit", "--no-fund", "--omit=peer", f"./{archive.name}", folder=folder)
    for name in ("react", "react-dom", "scheduler", "vue", "@vue", "@types", "csstype", "@babel"):
        if (MODULES / name).exists() and not (folder / "node_modules" / name).exists():
            (folder / "node_modules" / name).symlink_to(MODULES / name)
    return folder


@pytest.fixture(scope="module")
def app(project: Path) -> str:
    """The script of a page of React and Vue."""
    (project / "app.js").write_text(APP)
    options = ("--bundle", "--format=esm", "--minify", '--define:process.env.NODE_ENV="production"', "--outfile=out.js")
    run(str(MODULES / ".bin" / "esbuild"), "app.js", *options, folder=project)
    return (project / "out.js").read_text()


def page_of_frameworks(app: str, shop_url: str, product: Product) -> str:
    return f"""<!doctype html><html lang="en"><title>Elsewhere</title><link rel="icon" href="data:,">
        <meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
        <body data-api="{shop_url}" data-sku="{product.sku}">
        <main><h1>An article</h1><div id="react"></div><div id="vue"></div></main>
        <script type="module">{app}</script>"""


def test_react_and_vue_show_click_and_track_in_a_page_of_another_origin(
    page: Page,
    app: str,
    shop_url: str,
    product: Product,
    index_photos: Callable[[], object],
    serve_page: Callable[[str], str],
) -> None:
    stock("Red mug")
    stock("Tea mug")
    index_photos()
    page.set_viewport_size({"width": 1280, "height": 1600})
    page.goto(serve_page(page_of_frameworks(app, shop_url, product)))

    for name in ("React", "Vue"):
        links = page.get_by_role("region", name=name).get_by_role("link")
        expect(links).to_have_count(1)
        title = page.get_by_role("region", name=name).locator(".title").inner_text()
        expect(page.locator(f"#{name.lower()}-hook")).to_have_text(title)
        links.click()
        expect(page).to_have_title(f"clicked {title}")
    until(page, lambda: Event.objects.filter(type="click", product_id=product.pk).count() == 2)
    until(page, lambda: Event.objects.filter(type="impression", product_id=product.pk).count() == 2)


def test_no_frame_of_another_origin_has_a_violation_by_react_vue_or_markup_under_a_strict_policy(
    page: Page,
    screen: Screen,
    app: str,
    shop_url: str,
    product: Product,
    index_photos: Callable[[], object],
    serve_page: Callable[[str], str],
    serve_strictly: Callable[[str], str],
) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed (`make test` runs npm ci where there is npm)")
    stock("Red mug", available=False)
    index_photos()
    markup = f'''<main><h1>An article</h1><similar-products product-id="{product.pk}" heading="Like it?"></similar-products>
        <div data-similar-to-sku="{product.sku}" data-heading="And this?"></div><visual-search></visual-search></main>'''
    addresses = (serve_page(page_of_frameworks(app, shop_url, product)), serve_strictly(markup))

    page.set_content(
        "".join(f'<iframe title="A shop" src="{each}" width="380" height="1600"></iframe>' for each in addresses)
    )

    frameworks, plain = page.main_frame.child_frames
    for frame, names in ((frameworks, ("React", "Vue")), (plain, ("Like it?", "And this?"))):
        for name in names:
            expect(frame.get_by_role("region", name=name).get_by_role("link")).to_have_count(1)
    expect(plain.get_by_role("button", name="Choose a photo")).to_be_visible()
    found = find_violations_in_frames(page, screen.scheme)
    assert not found, "\n".join(found)


def test_the_functions_run_on_a_server_and_the_types_are_right(
    project: Path, shop_url: str, product: Product, index_photos: Callable[[], object]
) -> None:
    other = stock("Red mug")
    index_photos()
    (project / "server.js").write_text(SERVER)
    (project / "typed.ts").write_text(TYPED)

    assert json.loads(run("node", "server.js", product.sku, shop_url, folder=project)) == [other.title] * 2
    options: list[Any] = [
        "--noEmit",
        "--strict",
        "--module",
        "esnext",
        "--moduleResolution",
        "bundler",
        "--target",
        "es2022",
    ]
    run(str(MODULES / ".bin" / "tsc"), *options, "--lib", "es2022,dom,dom.iterable", "typed.ts", folder=project)
