/**
 * Visually similar products and search by photo, for any page, without dependencies. Usage: docs/how-to/widget.md.
 *
 *     <script type="module" src="https://recommender.example/widget/v1/similar.js"></script>
 *     <similar-products product-id="42" heading="You may also like"></similar-products>
 *     <div data-similar-to="42" data-heading="You may also like"></div>
 *     <visual-search></visual-search>
 */

const TEXTS = {
  previous: "Previous products",
  next: "Next products",
  "out-of-stock": "Out of stock",
  drop: "Drop a photo here, or paste one",
  choose: "Choose a photo",
  take: "Take a photo",
  searching: "Looking for similar products …",
  found: "Products that look like your photo",
  nothing: "Nothing in this shop looks like your photo. Try another one.",
  "no-photo": "That was not a photo file. Save the picture first, then choose the file.",
  offline: "The shop cannot be reached. Check the connection and try again.",
  failed: "Something went wrong. Try again in a moment.",
};
const DEFAULT_API = new URL(import.meta.url).origin;
const DEFAULT_LIMIT = 8;
const TIMEOUT_MS = 20_000;
// So far below the viewport a strip loads.
const LOAD_AHEAD = "300px";
const IMPRESSION_MS = 1_000;
// Elements that get a strip, and the attributes that are copied to it, without `data-`.
const HOSTS = "[data-similar-to], [data-similar-to-sku]";
const TARGETS = { "similar-to": "product-id", "similar-to-sku": "sku" };
const ATTRIBUTES = [...Object.keys(TARGETS), "heading", "limit", "collection", "api", "api-key", "substitutes", "weights", "no-events", ...Object.keys(TEXTS).map((name) => `text-${name}`)];
// Elements whose `data-track` is sent on interaction; of others it is sent when they appear.
const CONTROLS = "form, a, button, input";

const STYLE = new CSSStyleSheet();
STYLE.replaceSync(`
:host {
  --_gap: var(--similar-gap, 1rem);
  --_width: var(--similar-item-width, clamp(9rem, 40vw, 13.5rem));
  --_ratio: var(--similar-image-ratio, 1);
  --_fit: var(--similar-image-fit, cover);
  --_radius: var(--similar-radius, .75rem);
  --_bleed: max(.25rem, var(--similar-bleed, 0px));
  --_accent: var(--similar-accent, currentColor);
  --_muted: var(--similar-muted, color-mix(in srgb, currentColor 68%, transparent));
  --_line: var(--similar-line, color-mix(in srgb, currentColor 22%, transparent));
  --_surface: var(--similar-surface, color-mix(in srgb, currentColor 7%, transparent));
  --_error: var(--similar-error, light-dark(#a3261c, #ff9d92));
  display: block;
  line-height: 1.4;
}
:host([hidden]), [hidden] { display: none !important; }
*, ::before { box-sizing: border-box; }
header { display: flex; align-items: center; justify-content: space-between; gap: var(--_gap); min-block-size: 2.75rem; margin-block-end: .75rem; }
h2 { margin: 0; font: inherit; font-size: 1.375rem; font-weight: 650; line-height: 1.2; text-wrap: balance; }
ul { list-style: none; margin: 0; padding: .25rem; }
.strip { display: flex; gap: var(--_gap); margin-inline: calc(-1 * var(--_bleed)); padding-inline: var(--_bleed); overflow-x: auto; overscroll-behavior-inline: contain; scroll-snap-type: inline proximity; scroll-padding-inline: var(--_bleed); scrollbar-width: none; }
.strip > li { flex: 0 0 var(--_width); scroll-snap-align: start; }
.grid { padding: 0; display: grid; gap: calc(var(--_gap) * 1.5) var(--_gap); grid-template-columns: repeat(auto-fill, minmax(min(var(--_width), 45%), 1fr)); }
a { display: block; color: inherit; text-decoration: none; border-radius: var(--_radius); }
a:hover .title { text-decoration: underline; text-underline-offset: .15em; }
:focus-visible { outline: 2px solid var(--_accent); outline-offset: 2px; }
.media { display: block; aspect-ratio: var(--_ratio); overflow: hidden; border-radius: var(--_radius); background: var(--_surface); }
img { display: block; inline-size: 100%; block-size: 100%; object-fit: var(--_fit); }
.title { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden; min-block-size: 2.8em; margin-block: .5rem .125rem; overflow-wrap: anywhere; }
.offer { display: flex; flex-wrap: wrap; gap: 0 .75em; block-size: 1.4em; overflow: hidden; }
.price { font-weight: 650; font-variant-numeric: tabular-nums; }
.out-of-stock { color: var(--_muted); }
.skeleton .title::before { content: ""; display: block; inline-size: 80%; block-size: .9em; margin-block: .25em; border-radius: 4px; background: var(--_surface); }
button { font: inherit; color: inherit; background: none; border: 1px solid var(--_line); border-radius: 999px; min-block-size: 2.75rem; padding: .5rem 1.25rem; cursor: pointer; }
button:hover { border-color: currentColor; }
.controls { display: flex; margin-inline-start: auto; gap: .5rem; }
.controls button { inline-size: 2.75rem; padding: 0; font-size: 1.25rem; line-height: 1; }
.controls button:disabled { opacity: .35; cursor: default; border-color: var(--_line); }
.drop { display: flex; flex-wrap: wrap; place-content: center; align-items: center; gap: .75rem 1rem; min-block-size: 14rem; padding: 1.5rem; text-align: center; border: 2px dashed var(--_line); border-radius: var(--_radius); background: var(--_surface); }
.drop.over { border-color: var(--_accent); border-style: solid; }
.drop p { flex-basis: 100%; margin: 0; }
canvas { inline-size: auto; max-inline-size: 100%; block-size: 10rem; object-fit: contain; border-radius: var(--_radius); }
.choose { color: var(--similar-on-accent, Canvas); background: var(--similar-accent, CanvasText); border-color: transparent; }
.status { min-block-size: 1.4em; margin-block: 1.5rem .75rem; font-weight: 650; }
.status.error { color: var(--_error); }
@media (pointer: fine) { .take { display: none; } }
@media (pointer: coarse) { .controls, .drop p { display: none; } }
@media (prefers-reduced-motion: no-preference) {
  .strip { scroll-behavior: smooth; }
  .skeleton { animation: breathe 1.6s ease-in-out infinite alternate; }
}
@keyframes breathe { to { opacity: .45; } }
`);

/** An error of the API or the network. `status` is 0 without a response. */
class Problem extends Error {
  constructor(status, title, detail) {
    super(detail || title);
    Object.assign(this, { status, title, detail });
  }
}

/** Send an event: `track("purchase", { product: 42, quantity: 2 })`. Returns whether it was queued. */
export function track(type, details, api = DEFAULT_API, key = "") {
  if (navigator.doNotTrack === "1" || navigator.globalPrivacyControl) return false;
  const body = JSON.stringify({ events: [{ type, ...details }] });
  try {
    // Beacons have no headers.
    return navigator.sendBeacon(new URL(`api/events${key && `?api_key=${encodeURIComponent(key)}`}`, baseOf(api)), new Blob([body], { type: "text/plain;charset=UTF-8" }));
  } catch {
    // Missing or replaced by a content blocker: ignored.
    return false;
  }
}

/** Base of both elements: attributes, one request at a time, product cards and their events. */
class Recommendations extends HTMLElement {
  #request = null;
  #watch = null;
  #timer = 0;

  constructor() {
    super();
    this.attachShadow({ mode: "open" }).adoptedStyleSheets = [STYLE];
  }

  get limit() {
    const limit = Number.parseInt(this.getAttribute("limit"), 10);
    return limit > 0 ? limit : DEFAULT_LIMIT;
  }

  get collection() {
    return this.getAttribute("collection") || "all";
  }

  get api() {
    return baseOf(this.getAttribute("api") || DEFAULT_API);
  }

  get key() {
    return this.getAttribute("api-key") || "";
  }

  text(name) {
    return this.getAttribute(`text-${name}`) ?? TEXTS[name];
  }

  /** Abort the request, and stop observing. */
  abort() {
    this.#request?.abort();
    this.#request = null;
    this.#watch?.disconnect();
    clearTimeout(this.#timer);
  }

  /** Fetch, and abort the previous request. Resolves to the response, or to null if it failed (an `error` event reports it) or is outdated. */
  async fetch(url, options = {}) {
    this.abort();
    const request = (this.#request = new AbortController());
    const timer = setTimeout(() => request.abort(), TIMEOUT_MS);
    const headers = { Accept: "application/json", ...(this.key && { "X-API-Key": this.key }) };
    try {
      const response = await fetchJson(url, { ...options, headers, signal: request.signal }, this);
      return this.#request === request ? response : null;
    } catch (error) {
      if (this.#request !== request) return null;
      if (!(error instanceof Problem)) throw error;
      const { status, title, detail } = error;
      this.onProblem(error);
      this.emit("error", { status, title, detail });
      return null;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Called before the event. */
  onProblem() {}

  emit(name, detail, options = {}) {
    return this.dispatchEvent(new CustomEvent(`similar:${name}`, { bubbles: true, composed: true, detail, ...options }));
  }

  /** Send an event about a response, unless the page disables events. */
  #track(type, { product = null, collection, encoder }, details) {
    if (!this.hasAttribute("no-events")) track(type, { product, collection, encoder, ...details }, this.api, this.key);
  }

  /** Send an impression, once, when half of `target` was visible for a while. */
  watch(target, response) {
    const report = () => {
      if (document.hidden) return wait();
      this.#watch.disconnect();
      this.#track("impression", response, { results: response.results.map(({ product }) => product.id) });
    };
    const wait = () => (this.#timer = setTimeout(report, IMPRESSION_MS));
    const threshold = 0.5;
    this.#watch = new IntersectionObserver(
      (entries) => {
        clearTimeout(this.#timer);
        if (entries.at(-1).intersectionRatio >= threshold) wait();
      },
      { threshold },
    );
    this.#watch.observe(target);
  }

  cards(response) {
    return response.results.map(({ product, score }, index) => {
      const link = element(
        "a",
        { part: "link", ...safeHref(product.url, this.api) },
        element("span", { part: "media", class: "media" }, product.image && this.#picture(product)),
        element("span", { part: "title", class: "title" }, product.title),
        element(
          "span",
          { part: "offer", class: "offer" },
          product.price !== null && element("span", { part: "price", class: "price" }, money(product, this)),
          !product.available && element("span", { part: "out-of-stock", class: "out-of-stock" }, this.text("out-of-stock")),
        ),
      );
      const follow = (event) => {
        const position = index + 1;
        this.#track("click", response, { result: product.id, position });
        if (!this.emit("click", { product, score, position }, { cancelable: true })) event.preventDefault();
      };
      link.addEventListener("click", follow);
      // The middle button opens a tab, the right one a menu.
      link.addEventListener("auxclick", (event) => event.button === 1 && follow(event));
      return element("li", { part: "item" }, link);
    });
  }

  #picture({ title, image, thumbnails }) {
    const url = (path) => new URL(path, this.api).href;
    const srcset = Object.entries(thumbnails ?? {}).map(([side, path]) => `${url(path)} ${side}w`);
    const picture = element("img", {
      part: "image", alt: title, loading: "lazy", decoding: "async", ...(srcset.length && { sizes: "auto, 14rem", srcset }), src: url(image),
    });
    // Fallback: the photo instead of thumbnails, then an empty surface instead of a broken image.
    picture.addEventListener("error", () => (picture.srcset ? picture.removeAttribute("srcset") : picture.remove()));
    return picture;
  }
}

/** A strip of products similar to one product. Reserves its space, loads near the viewport, hides when empty. */
class SimilarProducts extends Recommendations {
  static observedAttributes = ["product-id", "sku", "heading", "limit", "collection", "api", "api-key", "substitutes", "weights"];
  #nearby = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && this.#load(), { rootMargin: LOAD_AHEAD });
  #resized = new ResizeObserver(() => this.#showControls());
  #scheduled = false;
  #section;
  #controls;
  #list;

  connectedCallback() {
    this.#schedule();
  }

  disconnectedCallback() {
    this.abort();
    this.#nearby.disconnect();
    this.#resized.disconnect();
  }

  attributeChangedCallback(name, before, after) {
    if (this.isConnected && before !== after) this.#schedule();
  }

  /** Restart, once for all attributes that change together. */
  #schedule() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      if (this.isConnected) this.#restart();
    });
  }

  /** The product's path in the API. */
  get #product() {
    const id = this.getAttribute("product-id");
    const sku = this.getAttribute("sku");
    return id ? encodeURIComponent(id) : sku && `by-sku/${encodeURIComponent(sku)}`;
  }

  #restart() {
    this.abort();
    this.#nearby.disconnect();
    this.hidden = !this.#product;
    if (this.hidden) return;
    this.#render();
    this.#nearby.observe(this);
  }

  #render() {
    const heading = this.getAttribute("heading");
    const scrollButton = (name, sign, direction) => {
      const button = element("button", { type: "button", part: `button ${name}`, class: name, disabled: "", "aria-label": this.text(name) }, sign);
      button.addEventListener("click", () => this.#scrollBy(direction));
      return button;
    };
    this.#controls = element("div", { part: "controls", class: "controls" }, scrollButton("previous", "‹", -1), scrollButton("next", "›", 1));
    this.#list = element("ul", { part: "list", class: "strip skeleton", role: "list", "aria-hidden": "true" }, ...Array.from({ length: this.limit }, skeleton));
    this.#list.addEventListener("scroll", () => this.#showControls(), { passive: true });
    this.#section = element(
      "section",
      { part: "section", "aria-busy": "true", ...(heading && { "aria-labelledby": "heading" }) },
      element("header", { part: "header" }, heading && element("h2", { part: "heading", id: "heading" }, heading), this.#controls),
      this.#list,
    );
    this.shadowRoot.replaceChildren(this.#section);
    this.#resized.disconnect();
    this.#resized.observe(this.#list);
  }

  async #load() {
    this.#nearby.disconnect();
    const url = new URL(`api/products/${this.#product}/${this.hasAttribute("substitutes") ? "substitutes" : "similar"}`, this.api);
    const weights = this.getAttribute("weights");
    url.search = new URLSearchParams({ limit: this.limit, collection: this.collection, ...(weights && { weights }) });
    const response = await this.fetch(url);
    if (!response) return;
    this.hidden = !response.results.length;
    this.#list.replaceChildren(...this.cards(response));
    this.#list.classList.remove("skeleton");
    this.#list.removeAttribute("aria-hidden");
    this.#section.removeAttribute("aria-busy");
    this.#showControls();
    this.emit("load", response);
    this.watch(this.#list, response);
  }

  onProblem() {
    this.hidden = true;
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
    previous.disabled = Math.abs(scrollLeft) <= 1;
    next.disabled = Math.abs(scrollLeft) >= rest - 1 || this.#list.classList.contains("skeleton");
  }
}

/** Search by a photo that is dropped, pasted, chosen or taken. */
class VisualSearch extends Recommendations {
  #onPaste = (event) => {
    const files = event.clipboardData?.files;
    if (files?.length) this.search(files[0]);
  };
  #drop;
  #photo;
  #preview;
  #status;
  #list;

  connectedCallback() {
    if (!this.#drop) this.#render();
    document.addEventListener("paste", this.#onPaste);
  }

  disconnectedCallback() {
    this.abort();
    document.removeEventListener("paste", this.#onPaste);
  }

  #render() {
    this.#preview = element("canvas", { part: "preview", "aria-hidden": "true", hidden: "" });
    this.#drop = element(
      "div",
      { part: "drop", class: "drop" },
      this.#preview,
      element("p", { part: "prompt" }, this.text("drop")),
      ...this.#picker("choose", {}),
      ...this.#picker("take", { capture: "environment" }),
    );
    this.#status = element("p", { part: "status", class: "status", role: "status" });
    this.#list = element("ul", { part: "list", class: "grid", role: "list" });
    this.shadowRoot.replaceChildren(this.#drop, this.#status, this.#list);
    for (const name of ["dragenter", "dragover", "dragleave", "drop"]) this.#drop.addEventListener(name, (event) => this.#onDrag(event));
  }

  /** A button and the file input that it opens. */
  #picker(name, attributes) {
    const input = element("input", { type: "file", accept: "image/jpeg,image/png,image/webp", hidden: "", class: `${name}-input`, ...attributes });
    const button = element("button", { type: "button", part: `button ${name}`, class: name }, this.text(name));
    button.addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      if (input.files.length) this.search(input.files[0]);
      // Choosing the same file again is then a change, too.
      input.value = "";
    });
    return [button, input];
  }

  #onDrag(event) {
    event.preventDefault();
    this.#drop.classList.toggle("over", event.type === "dragenter" || event.type === "dragover");
    if (event.type !== "drop") return;
    const [file] = event.dataTransfer.files;
    if (file) this.search(file);
    else this.#announce(this.text("no-photo"), true);
  }

  /** Search by a File or Blob. */
  async search(photo) {
    this.#show(photo);
    this.#announce(this.text("searching"));
    this.#list.classList.add("skeleton");
    this.#list.replaceChildren(...Array.from({ length: this.limit }, skeleton));
    this.#list.setAttribute("aria-hidden", "true");
    const body = new FormData();
    body.append("photo", photo);
    body.append("limit", this.limit);
    const url = new URL(`api/collections/${encodeURIComponent(this.collection)}/search`, this.api);
    const response = await this.fetch(url, { method: "POST", body });
    if (!response) return;
    this.#fill(this.cards(response));
    this.#announce(this.text(response.results.length ? "found" : "nothing"));
    this.emit("load", response);
    // Half of a grid may not fit into the viewport: observe its first product.
    if (response.results.length) this.watch(this.#list.firstElementChild, response);
  }

  onProblem({ message }) {
    this.#fill([]);
    this.#announce(message, true);
  }

  #fill(cards) {
    this.#list.classList.remove("skeleton");
    this.#list.removeAttribute("aria-hidden");
    this.#list.replaceChildren(...cards);
  }

  /** On a canvas, because an image needs `blob:` in the page's policy. */
  async #show(photo) {
    this.#photo = photo;
    this.#preview.hidden = true;
    const bitmap = await createImageBitmap(photo, { resizeHeight: 320 }).catch(() => null);
    if (!bitmap || this.#photo !== photo) return;
    this.#preview.width = bitmap.width;
    this.#preview.height = bitmap.height;
    this.#preview.getContext("bitmaprenderer").transferFromImageBitmap(bitmap);
    this.#preview.hidden = false;
  }

  #announce(message, isError = false) {
    this.#status.textContent = message;
    this.#status.classList.toggle("error", isError);
  }
}

async function fetchJson(url, options, host) {
  let response;
  try {
    response = await fetch(url, { credentials: "omit", ...options });
  } catch {
    throw new Problem(0, host.text("offline"), "");
  }
  const body = await response.json().catch(() => null);
  if (!response.ok || !Array.isArray(body?.results)) throw new Problem(response.status, body?.title ?? host.text("failed"), body?.detail ?? "");
  return body;
}

/** A base URL with a trailing slash, so that it may have a path. */
function baseOf(url) {
  return new URL(`${url}`.replace(/\/?$/, "/"), document.baseURI);
}

/** An element with attributes and children. Strings become text nodes: data is never parsed as markup. */
function element(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.filter(Boolean));
  return node;
}

function skeleton() {
  return element("li", {}, element("span", { class: "media" }), element("span", { class: "title" }), element("span", { class: "offer" }));
}

/** The href of a link to an http(s) URL; none if the product has no URL, or a `javascript:` one. */
function safeHref(link, base) {
  const url = link && new URL(link, base);
  return url && /^https?:$/.test(url.protocol) ? { href: url.href } : {};
}

/** The price, formatted for the page's language. */
function money({ price, currency }, host) {
  const locale = host.closest("[lang]")?.lang || undefined;
  try {
    return new Intl.NumberFormat(locale, { style: "currency", currency }).format(price);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return `${price} ${currency}`;
  }
}

const mounted = new Map();
const tracked = new WeakSet();

/** Add a strip to an element, once, and copy its attributes. */
function mount(host) {
  const strip = mounted.get(host) ?? document.createElement("similar-products");
  for (const name of ATTRIBUTES) {
    const value = host.getAttribute(`data-${name}`);
    const target = TARGETS[name] ?? name;
    if (value === null) strip.removeAttribute(target);
    else strip.setAttribute(target, value);
  }
  if (!mounted.has(host)) host.append(strip);
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
    if (!tracked.has(host)) trackDeclared(host);
    tracked.add(host);
  }
}

function trackDeclared({ dataset: { track: type, product, sku, quantity, api, apiKey } }) {
  track(type, { ...(product ? { product: Number(product) } : { sku }), ...(quantity && { quantity: Number(quantity) }) }, api, apiKey);
}

function onInteraction({ type, target }) {
  const host = target.closest?.("[data-track]");
  if (host?.matches(CONTROLS) && host.matches("form") === (type === "submit")) trackDeclared(host);
}

if (!customElements.get("similar-products")) {
  customElements.define("similar-products", SimilarProducts);
  customElements.define("visual-search", VisualSearch);
  new MutationObserver(scan).observe(document, { subtree: true, childList: true, attributeFilter: ATTRIBUTES.map((name) => `data-${name}`) });
  document.addEventListener("click", onInteraction, true);
  document.addEventListener("submit", onInteraction, true);
  scan();
}
