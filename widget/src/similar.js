/**
 * Visually similar products, and search by photo, for any page, without dependencies. Usage: docs/how-to/widget.md.
 *
 *     <script type="module" src="https://recommender.example/widget/v1/similar.js"></script>
 *     <similar-products product-id="42" heading="You may also like"></similar-products>
 *     <div data-similar-to="42" data-heading="You may also like"></div>
 *     <visual-search></visual-search>
 */

import { addressOf, baseOf, DEFAULT_API, DEFAULT_LIMIT, MAX_LIMIT, Problem, similar, track, whenSeen } from "./client.js";
import TEXTS from "./texts.json";

export * from "./client.js";

// So far below the viewport a strip loads.
const LOAD_AHEAD = "300px";
// Attributes that are parameters of the API; those of LISTS have several values, with commas.
const LISTS = ["tag", "not-category", "not-brand", "exclude", "attribute"];
const PARAMETERS = ["limit", "collection", "offset", "diversity", "min-score", "max-score", "min-confidence", "category", "brand", "min-price", "max-price", "currency", "available", ...LISTS, "mode", "weights", "rules", "fallback"];
// Attributes by which the products change, and those by which only their look does.
const REQUESTED = ["product-id", "sku", "skus", "api", "api-key", "substitutes", ...PARAMETERS];
const DRAWN = ["heading", "heading-fallback", "show-brand", "add-to-basket", "lang", ...Object.keys(TEXTS.en).map((name) => `text-${name}`)];
// Elements that get a strip, and the attributes that are copied to it, without `data-`.
const HOSTS = "[data-similar-to], [data-similar-to-sku], [data-similar-to-skus]";
const TARGETS = { "similar-to": "product-id", "similar-to-sku": "sku", "similar-to-skus": "skus" };
const ATTRIBUTES = [...Object.keys(TARGETS), ...REQUESTED.slice(3), ...DRAWN, "no-events"];
// Elements whose `data-track` is sent on interaction; of others it is sent when they appear.
const CONTROLS = "form, a, button, input";

// Sizes follow the page's text (em). Themes of Shopify and Magento have a root of 10 px, where what is in rem is too small to read.
const STYLE = new CSSStyleSheet();
STYLE.replaceSync(`
:host {
  --_gap: var(--similar-gap, 1em);
  --_width: var(--similar-item-width, clamp(9em, 40vw, 13.5em));
  --_ratio: var(--similar-image-ratio, 1);
  --_fit: var(--similar-image-fit, cover);
  --_radius: var(--similar-radius, .75em);
  --_bleed: max(.25em, var(--similar-bleed, 0px));
  --_accent: var(--similar-accent, currentColor);
  --_muted: var(--similar-muted, color-mix(in srgb, currentColor 68%, transparent));
  --_line: var(--similar-line, color-mix(in srgb, currentColor 22%, transparent));
  --_surface: var(--similar-surface, color-mix(in srgb, currentColor 7%, transparent));
  --_touch: max(2.75em, 44px);
  display: block;
  line-height: 1.4;
}
:host([hidden]), [hidden] { display: none !important; }
*, ::before { box-sizing: border-box; }
/* Around it a font size of 0 closes the gaps of a theme's columns, and a carousel keeps its line together. */
:host > * { font-size: max(1em, 16px - 99em); white-space: normal; text-indent: 0; }
/* The list scrolls: its products are no reason for a column of the page's grid to grow. */
section { display: grid; grid-template-columns: minmax(0, 1fr); }
header { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: 0 var(--_gap); min-block-size: 44px; margin-block-end: .75em; }
h2 { margin: 0; font: inherit; font-size: 1.375em; font-weight: 650; line-height: 1.2; text-wrap: balance; overflow-wrap: anywhere; }
h2, ::slotted(h2) { flex: 1 1 5em; text-align: start; }
ul { list-style: none; margin: 0; padding: .25em; }
/* Nothing sticks out at the end unless the page wants it: the page would scroll. */
.strip { display: flex; gap: var(--_gap); margin-inline: calc(-1 * var(--_bleed)) calc(-1 * var(--similar-bleed, 0px)); padding-inline: var(--_bleed); overflow-x: auto; overscroll-behavior-inline: contain; scroll-snap-type: inline proximity; scroll-padding-inline: var(--_bleed); scrollbar-width: none; }
li { display: flex; flex-direction: column; justify-content: space-between; gap: .5em; min-block-size: var(--similar-item-height, 0); }
.strip > li { flex: 0 0 var(--_width); max-inline-size: 100%; scroll-snap-align: start; }
a { display: block; position: relative; color: inherit; text-decoration: none; border-radius: var(--_radius); }
a:hover .title { text-decoration: underline; text-underline-offset: .15em; }
:focus-visible { outline: 2px solid var(--_accent); outline-offset: 2px; }
.media { display: block; position: relative; aspect-ratio: var(--_ratio); overflow: hidden; border-radius: var(--_radius); background: var(--_surface); }
img { position: absolute; inset: 0; inline-size: 100%; block-size: 100%; object-fit: var(--_fit); }
.title { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden; min-block-size: 2.8em; margin-block: .5em .125em; overflow-wrap: anywhere; }
.offer { display: block; min-block-size: 1.4em; word-spacing: .5em; }
.offer > * { display: inline-block; word-spacing: normal; }
.brand { display: block; min-block-size: 1.4em; overflow: hidden; white-space: nowrap; text-overflow: ellipsis; margin-block-start: .5em; }
.brand + .title { margin-block-start: 0; }
.brand, .list-price { color: var(--_muted); }
.price { font-weight: 650; font-variant-numeric: tabular-nums; }
.out-of-stock { position: absolute; inset-block-start: .6em; inset-inline-start: .6em; max-inline-size: calc(100% - 1.2em); padding: .15em .6em; border-radius: calc(var(--_radius) / 2); color: var(--similar-on-badge, CanvasText); background: var(--similar-badge, Canvas); font-size: .8125em; overflow-wrap: anywhere; }
.skeleton .title::before { content: ""; display: block; inline-size: 80%; block-size: .9em; margin-block: .25em; border-radius: 4px; background: var(--_surface); }
button { font: inherit; color: inherit; background: none; border: 1px solid var(--_line); border-radius: 999px; min-block-size: var(--_touch); padding: .5em 1.25em; cursor: pointer; }
button:hover { border-color: currentColor; }
.controls { display: flex; flex: none; margin-inline-start: auto; gap: .5em; }
.controls button { inline-size: 44px; min-block-size: 44px; padding: 0; font-size: 1.25em; line-height: 1; }
.controls [aria-disabled=true] { opacity: .35; cursor: default; border-color: var(--_line); }
.room { min-block-size: var(--_touch); }
@media print {
  .strip { flex-wrap: wrap; }
  [aria-busy] { display: none; }
}
@media (pointer: coarse), print { .controls { display: none; } }
@media (prefers-reduced-motion: no-preference) {
  .strip { scroll-behavior: smooth; }
  .skeleton { animation: breathe 1.6s ease-in-out infinite alternate; }
}
@keyframes breathe { to { opacity: .45; } }
`);

/** Base of both elements: attributes, one request at a time, product cards and their events. */
export class Recommendations extends HTMLElement {
  #request = null;
  #unwatch = () => {};
  #reported = null;
  #transformItems = null;
  #renderItem = null;

  constructor() {
    super();
    this.attachShadow({ mode: "open" }).adoptedStyleSheets = [STYLE];
    // What a page sets before the script comes is a property of the element itself, which hides the accessor.
    this.#transformItems = this.transformItems;
    this.#renderItem = this.renderItem;
    delete this.transformItems;
    delete this.renderItem;
  }

  // Named otherwise than the attributes: React and Vue would set a property of that name instead.
  get maximum() {
    const limit = Number.parseInt(this.getAttribute("limit"), 10);
    return limit > 0 ? Math.min(limit, MAX_LIMIT) : DEFAULT_LIMIT;
  }

  get base() {
    return baseOf(this.getAttribute("api") || DEFAULT_API);
  }

  /** The options of the client's functions that the attributes say. */
  get options() {
    const options = { api: this.base, apiKey: this.getAttribute("api-key")?.trim() ?? "" };
    for (const name of PARAMETERS) {
      const value = this.getAttribute(name)?.trim();
      if (value === undefined) continue;
      const items = value.split(",").map((item) => item.trim());
      const option = name.replace(/-(.)/g, (_, letter) => letter.toUpperCase());
      if (name === "attribute") {
        options.attribute = {};
        for (const [key, text] of items.map((item) => item.split("="))) if (text) (options.attribute[key] ??= []).push(text);
      } else options[option] = LISTS.includes(name) ? items : name === "available" ? value || "true" : value;
    }
    return { ...options, limit: this.maximum, collection: options.collection || "all" };
  }

  /** Changes the results before they are shown: gets and returns the list of the API, `[{ product, score }]`. */
  get transformItems() {
    return this.#transformItems;
  }

  set transformItems(change) {
    this.#transformItems = change;
    this.redraw();
  }

  /** Makes a card: gets a result with `position`, returns an element or a text; null for the usual card. */
  get renderItem() {
    return this.#renderItem;
  }

  set renderItem(render) {
    this.#renderItem = render;
    this.redraw();
  }

  /** Show the results that are there again. */
  redraw() {}

  /** What the page says of its language, where it is one. */
  get language() {
    const given = this.closest("[lang]")?.lang || document.documentElement.lang;
    try {
      // Some themes write a locale: `pt_BR`.
      return Intl.getCanonicalLocales(given.replaceAll("_", "-"))[0];
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return undefined;
    }
  }

  text(name, texts = TEXTS) {
    const language = this.language?.toLowerCase().split("-")[0];
    return this.getAttribute(`text-${name}`) ?? texts[language]?.[name] ?? texts.en[name];
  }

  /** Abort the current request, and stop observing earlier results. */
  abort() {
    this.#request?.abort();
    this.#request = null;
    this.#unwatch();
  }

  /** Fetch, and abort the previous request. Resolves to the response, or to null if it failed (an `error` event reports it) or is outdated. */
  async fetch(ask) {
    this.abort();
    const request = (this.#request = new AbortController());
    const limit = this.getAttribute("limit");
    if (limit && limit.trim() !== `${this.maximum}`) this.say(`limit="${limit}" is no whole number from 1 to ${MAX_LIMIT}: ${this.maximum} is taken`);
    try {
      const response = await ask({ ...this.options, signal: request.signal });
      return this.#request === request ? response : null;
    } catch (error) {
      if (this.#request !== request) return null;
      if (!(error instanceof Problem)) throw error;
      const { status, title, detail, type, reason, errors, cause } = error;
      const wrong = errors.map((each) => `${each.parameter.replaceAll("_", "-")} ${each.detail}`).join("; ");
      this.say(`${status || ""} ${wrong || detail || title}${cause ? ` (${cause.message})` : ""}`.trim());
      this.onProblem(error);
      this.emit("error", { status, title, detail, type, reason });
      return null;
    }
  }

  /** Say in the console, to whoever builds the page, what visitors do not see. */
  say(text) {
    console.info?.(`<${this.localName}>: ${text}`, this);
  }

  /** Called with each Problem, before its event. */
  onProblem() {}

  emit(name, detail, options = {}) {
    return this.dispatchEvent(new CustomEvent(`similar:${name}`, { bubbles: true, composed: true, detail, ...options }));
  }

  /** Send an event, unless the page disables events. */
  #track(type, details) {
    if (!this.hasAttribute("no-events")) track(type, details, this.options);
  }

  /** Send an impression of each product with results, once, when `target` was seen. */
  watch(target, response) {
    this.#unwatch();
    if (this.#reported === response) return;
    this.#unwatch = whenSeen(target, () => {
      this.#reported = response;
      const { collection, encoder } = response;
      const shown = new Map();
      for (const result of this.shown(response)) {
        const product = result.seed ?? response.product ?? null;
        shown.set(product, [...(shown.get(product) ?? []), result.product.id]);
      }
      for (const [product, results] of shown) this.#track("impression", { product, collection, encoder, results });
    });
  }

  /** The results of a response that are shown. */
  shown({ results }) {
    return this.#transformItems?.(results) ?? results;
  }

  /** The list items of a response. The shop's own cards are in the page, where its style sheet applies. */
  cards(response) {
    // Also those of a copy: Turbo, carousels and prerenderers copy a page with the cards in it.
    this.querySelectorAll(":scope > [slot^=item-]").forEach((card) => card.remove());
    const template = this.querySelector(":scope > template[slot=item]");
    return this.shown(response).map((result, index) => {
      const position = index + 1;
      const own = this.#renderItem?.({ ...result, position }) ?? (template && this.#filled(template, result));
      const item = element("li", { part: "item" }, ...(own ? [element("slot", { name: `item-${position}` })] : this.#card(result, position)));
      let card = item;
      if (own) {
        card = element("div", { slot: `item-${position}` }, own);
        this.append(card);
      }
      const href = safeHref(result.product.url, this.base).href ?? "";
      const follow = (event) => {
        const link = event.target.closest("a");
        if (link?.href !== href) return;
        const { product, score, seed } = result;
        const isTaken = !this.emit("click", { product, score, position }, { cancelable: true });
        if (isTaken) event.preventDefault();
        const { collection, encoder } = response;
        // Of a card without a link, the click leads somewhere only if the page says where.
        if (isTaken || href) this.#track("click", { product: seed ?? response.product ?? null, collection, encoder, result: product.id, position });
      };
      card.addEventListener("click", follow);
      // The middle button opens a tab, the right one a menu.
      card.addEventListener("auxclick", (event) => event.button === 1 && follow(event));
      return item;
    });
  }

  #card({ product, score }, position) {
    const { title, brand, price, list_price, available } = product;
    const basket = this.hasAttribute("add-to-basket") && available && element("button", { type: "button", part: "button add-to-basket" }, this.text("add-to-basket"));
    if (basket) {
      basket.setAttribute("aria-label", `${basket.textContent}: ${title}`);
      basket.addEventListener("click", () => {
        if (this.emit("add-to-basket", { product, score, position }, { cancelable: true })) this.#track("add_to_cart", { product: product.id });
      });
    }
    return [
      element(
        "a",
        { part: "link", ...safeHref(product.url, this.base) },
        element("span", { part: "media", class: "media" }, product.image && this.#picture(product)),
        this.hasAttribute("show-brand") && part("brand", brand ?? ""),
        part("title", title),
        element(
          "span",
          { part: "offer", class: "offer" },
          price !== null && part("price", this.money(product)),
          " ",
          +list_price > +price && element("s", { part: "list-price", class: "list-price" }, this.money({ ...product, price: list_price })),
          !available && part("out-of-stock", this.text("out-of-stock")),
        ),
      ),
      basket,
    ];
  }

  /** A template's content with the product's values: in `<slot name>`, in links without address, in `data-product`, `data-sku` and `data-value`. */
  #filled(template, { product, score }) {
    const card = template.content.cloneNode(true);
    const values = {
      ...product,
      score,
      price: product.price !== null && this.money(product),
      "list-price": +product.list_price > +product.price && this.money({ ...product, price: product.list_price }),
      image: product.image && this.#picture(product),
      "out-of-stock": !product.available && this.text("out-of-stock"),
    };
    for (const slot of card.querySelectorAll("slot")) slot.replaceWith(...(values[slot.name] ? [values[slot.name]] : slot.childNodes));
    for (const link of card.querySelectorAll("a:not([href])")) assign(link, safeHref(product.url, this.base));
    for (const node of card.querySelectorAll("[data-product]")) node.dataset.product ||= product.id;
    for (const node of card.querySelectorAll("[data-sku]")) node.dataset.sku ||= product.sku;
    for (const node of card.querySelectorAll("[data-value]")) node.setAttribute("value", product[node.dataset.value] ?? "");
    return card;
  }

  /** An empty `alt`: the title is beside it. */
  #picture({ image, thumbnails }) {
    const url = (path) => addressOf(path, this.base)?.href ?? "";
    const srcset = Object.entries(thumbnails ?? {}).map(([side, path]) => `${url(path)} ${side}w`);
    const picture = element("img", {
      part: "image", alt: "", loading: "lazy", decoding: "async", ...(srcset.length && { sizes: "auto, 14rem", srcset }), src: url(image),
    });
    // Fallback: the photo instead of thumbnails, then an empty surface instead of a broken image.
    picture.addEventListener("error", () => (picture.srcset ? picture.removeAttribute("srcset") : picture.remove()));
    return picture;
  }

  /** A price, formatted for the page's language. */
  money({ price, currency }) {
    try {
      return new Intl.NumberFormat(this.language, { style: "currency", currency }).format(price);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return `${price} ${currency}`;
    }
  }

  /** Placeholders of a card's height, one for each card that may come. */
  skeletons() {
    // Not Array.from, which Prototype.js and MooTools replace by one that calls no function.
    return [...Array(this.maximum)].map(() => this.skeleton());
  }

  skeleton() {
    return element(
      "li",
      {},
      element("span", {}, element("span", { class: "media" }), this.hasAttribute("show-brand") && part("brand", ""), part("title", ""), part("offer", "")),
      this.hasAttribute("add-to-basket") && element("span", { class: "room" }),
    );
  }
}

/** A strip of products similar to one product. Reserves its space, loads near the viewport, hides when empty. */
class SimilarProducts extends Recommendations {
  static observedAttributes = [...REQUESTED, ...DRAWN];
  #nearby = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && this.#load(), { rootMargin: LOAD_AHEAD });
  #resized = new ResizeObserver(() => this.#showControls());
  #scheduled = false;
  #response = null;
  #section;
  #heading;
  #controls;
  #list;

  /** In another place of the page, what was shown is shown again. */
  connectedCallback() {
    this.#schedule(this.#response);
  }

  disconnectedCallback() {
    this.abort();
    this.#nearby.disconnect();
    this.#resized.disconnect();
  }

  attributeChangedCallback(name, before, after) {
    if (before === after) return;
    if (REQUESTED.includes(name)) this.#schedule();
    else this.redraw();
  }

  redraw() {
    if (this.#section && !this.#scheduled) this.#schedule(this.#response);
  }

  /** Restart, once for all attributes that change together; with a response, without a new request. */
  #schedule(response = null) {
    this.#response = response;
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      if (this.isConnected) this.#restart();
    });
  }

  /** The API's last response; null before the first. */
  get response() {
    return this.#response;
  }

  /** The products that it is about, as the client's `similar` takes them. */
  get #seed() {
    const [product, sku, skus] = ["product-id", "sku", "skus"].map((name) => this.getAttribute(name)?.trim());
    if (product) return { product };
    if (sku) return { sku };
    return skus ? { skus: skus.split(",").map((each) => each.trim()).filter(Boolean) } : null;
  }

  #restart() {
    const response = this.#response ?? this.#rendered();
    if (!this.#response) this.abort();
    this.#nearby.disconnect();
    const isIdle = !response && !this.#seed;
    this.#hide(isIdle);
    if (isIdle) return this.say("names no product (product-id, sku or skus): it is hidden");
    const id = this.#seed?.product;
    if (id && !/^\d+$/.test(id)) this.say(`product-id="${id}" is no id of the API; the shop's own is the attribute sku`);
    this.#render();
    if (response) this.#fill(response);
    // The server's strip may be on its way.
    else if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", () => this.#schedule(this.#response), { once: true });
    // Not the element, which may have no box (`display: contents`).
    else this.#nearby.observe(this.#section);
  }

  /** The response in a strip that the server rendered into this element, which gives way. */
  #rendered() {
    const strip = this.querySelector(":scope > [data-similar-strip]");
    const data = strip?.querySelector("script");
    strip?.remove();
    if (!data) return null;
    const heading = strip.querySelector("[part=heading]")?.textContent;
    if (heading && !this.hasAttribute("heading")) {
      this.setAttribute("heading", heading);
      // `mount` removes attributes that its element does not have.
      if (this.parentElement?.matches(HOSTS)) this.parentElement.dataset.heading = heading;
    }
    return JSON.parse(data.textContent);
  }

  #render() {
    const heading = this.getAttribute("heading");
    const scrollButton = (name, sign, direction) => {
      // Never `disabled`: that would throw the focus away at the end of the strip.
      const button = element("button", { type: "button", part: `button ${name}`, "aria-disabled": "true", "aria-label": this.text(name) }, sign);
      button.addEventListener("click", () => button.ariaDisabled === "false" && this.#scrollBy(direction));
      return button;
    };
    this.#controls = element("div", { part: "controls", class: "controls" }, scrollButton("previous", "‹", -1), scrollButton("next", "›", 1));
    this.#heading = heading && element("h2", { part: "heading", id: "heading" }, heading);
    this.#list = element("ul", { part: "list", class: "strip skeleton", role: "list", "aria-hidden": "true" }, ...this.skeletons());
    this.#list.addEventListener("scroll", () => this.#showControls(), { passive: true });
    this.#section = element(
      "section",
      { part: "section", "aria-busy": "true", ...(heading && { "aria-labelledby": "heading" }) },
      element("header", { part: "header" }, element("slot", { name: "header" }, this.#heading), this.#controls),
      this.#list,
      element("slot", { name: "empty", hidden: "" }),
      element("slot", { name: "error", hidden: "" }),
    );
    this.shadowRoot.replaceChildren(this.#section);
    this.#resized.disconnect();
    this.#resized.observe(this.#list);
  }

  async #load() {
    this.#nearby.disconnect();
    const response = await this.fetch((options) => similar(this.#seed, { ...options, substitutes: this.hasAttribute("substitutes") }));
    if (!response) return;
    if (response.fallback && this.getAttribute("fallback") === "false") response.results = [];
    this.#fill(response);
    this.emit("load", response);
  }

  #fill(response) {
    this.#response = response;
    let cards;
    try {
      cards = this.cards(response);
    } catch (error) {
      // Of the page's own functions: no placeholders remain.
      this.#settle("error");
      throw error;
    }
    const heading = response.fallback && this.getAttribute("heading-fallback");
    if (heading && this.#heading) this.#heading.textContent = heading;
    this.#settle(cards.length ? "" : "empty");
    this.#list.replaceChildren(...cards);
    this.#list.classList.remove("skeleton");
    this.#list.removeAttribute("aria-hidden");
    this.#showControls();
    if (cards.length) this.watch(this.#list, response);
  }

  onProblem() {
    this.#settle("error");
  }

  /** Hide the element, or show it again, if it is not the page that hides it. */
  #hide(hide) {
    if (hide && !this.hidden) this.setAttribute("hidden", "empty");
    if (!hide && this.getAttribute("hidden") === "empty") this.hidden = false;
  }

  /** Show the slot of this name instead of the list; hide without one. */
  #settle(name) {
    this.#section.hidden = !!name && !this.querySelector(`:scope > [slot=${name}]`);
    this.#hide(this.#section.hidden);
    this.#list.hidden = this.#controls.hidden = !!name;
    if (name) this.#section.querySelector(`slot[name=${name}]`).hidden = false;
    this.#section.removeAttribute("aria-busy");
  }

  #scrollBy(direction) {
    const sign = getComputedStyle(this).direction === "rtl" ? -direction : direction;
    this.#list.scrollBy({ left: sign * this.#list.clientWidth * 0.8 });
  }

  #showControls() {
    const { scrollLeft, scrollWidth, clientWidth } = this.#list;
    const rest = scrollWidth - clientWidth;
    const [previous, next] = this.#controls.children;
    this.#controls.hidden = rest <= 1;
    // In right-to-left layouts scrollLeft is negative.
    previous.ariaDisabled = Math.abs(scrollLeft) <= 1;
    next.ariaDisabled = Math.abs(scrollLeft) >= rest - 1 || this.#list.classList.contains("skeleton");
  }
}

/** An element with attributes and children. Strings become text nodes: data is never parsed as markup. */
export function element(tag, attributes, ...children) {
  const node = assign(document.createElement(tag), attributes);
  node.append(...children.filter((child) => child || child === ""));
  return node;
}

function assign(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

function part(name, text) {
  return element("span", { part: name, class: name }, text);
}

/** The href of a link to an http(s) URL; none if the product has no URL, or a `javascript:` one. */
function safeHref(link, base) {
  const url = link && addressOf(link, base);
  return url && /^https?:$/.test(url.protocol) ? { href: url.href } : {};
}

const mounted = new Map();
const tracked = new WeakSet();

/** Add a strip to an element, once, and copy its attributes. */
function mount(host) {
  // A copy of an element has a copy of its strip.
  const strip = mounted.get(host) ?? host.querySelector(":scope > similar-products") ?? document.createElement("similar-products");
  let isChanged = false;
  for (const name of ATTRIBUTES) {
    const value = host.getAttribute(`data-${name}`);
    const target = TARGETS[name] ?? name;
    if (value === strip.getAttribute(target)) continue;
    isChanged = true;
    if (value === null) strip.removeAttribute(target);
    else strip.setAttribute(target, value);
  }
  // A page may empty the element, which then stays empty, until it asks for something else.
  if (isChanged && !host.contains(strip)) host.append(strip);
  // Also what comes later, while the page is read.
  if (host.contains(strip)) strip.append(...host.querySelectorAll(":scope > [slot], :scope > [data-similar-strip]"));
  mounted.set(host, strip);
}

/** Add, update and remove strips, and track new elements. */
function scan() {
  for (const [host, strip] of mounted) {
    if (host.isConnected && host.matches(HOSTS)) continue;
    strip.remove();
    mounted.delete(host);
  }
  document.querySelectorAll(HOSTS).forEach(mount);
  for (const host of document.querySelectorAll(`[data-track]:not(${CONTROLS})`)) {
    // The mark is in copies of the page, too, which Turbo shows again when the visitor goes back.
    const mark = markOf(host);
    if (!tracked.has(host) && host.dataset.tracked !== mark) trackDeclared(host);
    tracked.add(host);
    host.dataset.tracked = mark;
  }
  if (document.querySelector("visual-search:not(:defined)")) import("./photo-search.js");
}

/** What an element declares, in this visit: pages are stored with the mark in them, and lines are copied for another product. */
function markOf({ dataset: { track: type, product, sku, quantity } }) {
  return [performance.timeOrigin, type, product, sku, quantity].join(" ");
}

function trackDeclared({ dataset: { track: type, product, sku, quantity, api, apiKey } }) {
  const about = product ? { product: Number(product) } : { sku: sku?.trim() };
  track(type, { ...about, ...(quantity && { quantity: Number(quantity) }) }, { api, apiKey: apiKey?.trim() });
}

function onInteraction({ type, target }) {
  const host = target.closest?.("[data-track]");
  if (host?.matches(CONTROLS) && host.matches("form") === (type === "submit")) trackDeclared(host);
}

if (!customElements.get("similar-products")) {
  customElements.define("similar-products", SimilarProducts);
  new MutationObserver(scan).observe(document, { subtree: true, childList: true, attributeFilter: ["data-track", ...ATTRIBUTES.map((name) => `data-${name}`)] });
  document.addEventListener("click", onInteraction, true);
  document.addEventListener("submit", onInteraction, true);
  scan();
}
