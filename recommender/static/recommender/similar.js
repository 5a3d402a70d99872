/**
 * Visually similar products, and search by photo, in any page: two custom elements and no dependency.
 *
 *     <script type="module" src="https://recommender.example/widget/v1/similar.js"></script>
 *     <similar-products product-id="42" heading="You may also like"></similar-products>
 *     <visual-search></visual-search>
 *
 * Attributes of both: `limit` (8), `collection` ("all"), `api` (the API's base address; the origin of this script),
 * and `text-<name>` for each name in TEXTS, to speak the shop's language.
 * Events of both, bubbling out of the shadow tree: `similar:load` {collection, encoder, fallback, results},
 * `similar:click` {product, score, position} (cancel it and the link is not followed), `similar:error` {status, title, detail}.
 * Style: the custom properties in STYLE's first rule, and ::part() of every element that has a part.
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
// How far below the screen a strip starts to load.
const LOAD_AHEAD = "300px";

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
nav { display: flex; margin-inline-start: auto; gap: .5rem; }
nav button { inline-size: 2.75rem; padding: 0; font-size: 1.25rem; line-height: 1; }
nav button:disabled { opacity: .35; cursor: default; border-color: var(--_line); }
.drop { display: flex; flex-wrap: wrap; place-content: center; align-items: center; gap: .75rem 1rem; min-block-size: 14rem; padding: 1.5rem; text-align: center; border: 2px dashed var(--_line); border-radius: var(--_radius); background: var(--_surface); }
.drop.over { border-color: var(--_accent); border-style: solid; }
.drop p { flex-basis: 100%; margin: 0; }
.drop img { inline-size: auto; max-inline-size: 100%; block-size: 10rem; object-fit: contain; border-radius: var(--_radius); }
.choose { color: var(--similar-on-accent, Canvas); background: var(--similar-accent, CanvasText); border-color: transparent; }
.status { min-block-size: 1.4em; margin-block: 1.5rem .75rem; font-weight: 650; }
.status.error { color: var(--_error); }
@media (pointer: fine) { .take { display: none; } }
@media (pointer: coarse) { nav, .drop p { display: none; } }
@media (prefers-reduced-motion: no-preference) {
  .strip { scroll-behavior: smooth; }
  .skeleton { animation: breathe 1.6s ease-in-out infinite alternate; }
}
@keyframes breathe { to { opacity: .45; } }
`);

/** What the API, or the way to it, says went wrong. `status` is 0 where no answer came. */
class Problem extends Error {
  constructor(status, title, detail) {
    super(detail || title);
    Object.assign(this, { status, title, detail });
  }
}

/** What both elements share: their attributes, one request at a time, and cards of products. */
class Recommendations extends HTMLElement {
  #request = null;

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

  /** The base address of the API, with a slash at its end, so that it may have a path of its own. */
  get api() {
    const base = this.getAttribute("api") || DEFAULT_API;
    return new URL(base.endsWith("/") ? base : `${base}/`, document.baseURI);
  }

  text(name) {
    return this.getAttribute(`text-${name}`) ?? TEXTS[name];
  }

  /** Let go of the request under way, if any; its answer will be ignored. */
  abort() {
    this.#request?.abort();
    this.#request = null;
  }

  /** Ask the API, once at a time. Resolves to the answer, or to null when it failed (told by an event) or came too late. */
  async ask(url, options = {}) {
    this.abort();
    const request = (this.#request = new AbortController());
    const timer = setTimeout(() => request.abort(), TIMEOUT_MS);
    try {
      const answer = await fetchAnswer(url, { ...options, signal: request.signal }, this);
      return this.#request === request ? answer : null;
    } catch (error) {
      if (this.#request !== request) return null;
      if (!(error instanceof Problem)) throw error;
      const { status, title, detail } = error;
      this.problem(error);
      this.tell("error", { status, title, detail });
      return null;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Called with each Problem, before its event. */
  problem() {}

  tell(name, detail, options = {}) {
    return this.dispatchEvent(new CustomEvent(`similar:${name}`, { bubbles: true, composed: true, detail, ...options }));
  }

  cards(results) {
    return results.map(({ product, score }, index) => {
      const sources = [product.thumbnail, product.image].filter(Boolean).map((source) => new URL(source, this.api));
      const image = sources.length && element("img", { part: "image", alt: product.title, loading: "lazy", decoding: "async", src: sources.shift() });
      // A photo that is gone leaves a quiet surface, not a broken picture.
      if (image) image.addEventListener("error", () => (sources.length ? (image.src = sources.shift()) : image.remove()));
      const link = element(
        "a",
        { part: "link", ...address(product.url, this.api) },
        element("span", { part: "media", class: "media" }, image),
        element("span", { part: "title", class: "title" }, product.title),
        element(
          "span",
          { part: "offer", class: "offer" },
          product.price !== null && element("span", { part: "price", class: "price" }, money(product, this)),
          !product.available && element("span", { part: "out-of-stock", class: "out-of-stock" }, this.text("out-of-stock")),
        ),
      );
      link.addEventListener("click", (event) => {
        if (!this.tell("click", { product, score, position: index + 1 }, { cancelable: true })) event.preventDefault();
      });
      return element("li", { part: "item" }, link);
    });
  }
}

/** A strip of the products that look like one product. Takes its room at once, loads when it comes near, hides when empty. */
class SimilarProducts extends Recommendations {
  static observedAttributes = ["product-id", "heading", "limit", "collection", "api"];
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

  /** Start afresh, once for all attributes that are changed together. */
  #schedule() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      if (this.isConnected) this.#restart();
    });
  }

  #restart() {
    this.abort();
    this.#nearby.disconnect();
    this.hidden = !this.getAttribute("product-id");
    if (this.hidden) return;
    this.#render();
    this.#nearby.observe(this);
  }

  #render() {
    const heading = this.getAttribute("heading");
    const turn = (name, sign, direction) => {
      const button = element("button", { type: "button", part: `button ${name}`, class: name, disabled: "", "aria-label": this.text(name) }, sign);
      button.addEventListener("click", () => this.#turn(direction));
      return button;
    };
    this.#controls = element("nav", { part: "controls" }, turn("previous", "‹", -1), turn("next", "›", 1));
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
    const url = new URL(`api/products/${encodeURIComponent(this.getAttribute("product-id"))}/similar`, this.api);
    url.search = new URLSearchParams({ limit: this.limit, collection: this.collection });
    const answer = await this.ask(url);
    if (!answer) return;
    this.hidden = !answer.results.length;
    this.#list.replaceChildren(...this.cards(answer.results));
    this.#list.classList.remove("skeleton");
    this.#list.removeAttribute("aria-hidden");
    this.#section.removeAttribute("aria-busy");
    this.#showControls();
    this.tell("load", answer);
  }

  problem() {
    this.hidden = true;
  }

  #turn(direction) {
    const sign = getComputedStyle(this).direction === "rtl" ? -direction : direction;
    this.#list.scrollBy({ left: sign * this.#list.clientWidth * 0.8 });
  }

  #showControls() {
    const { scrollLeft, scrollWidth, clientWidth } = this.#list;
    const rest = scrollWidth - clientWidth;
    const [previous, next] = this.#controls.children;
    this.#controls.hidden = rest <= 1;
    // Scrolled from right to left, scrollLeft counts below zero.
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
  #preview = "";
  #drop;
  #image;
  #status;
  #list;

  connectedCallback() {
    if (!this.#drop) this.#render();
    document.addEventListener("paste", this.#onPaste);
  }

  disconnectedCallback() {
    this.abort();
    URL.revokeObjectURL(this.#preview);
    document.removeEventListener("paste", this.#onPaste);
  }

  #render() {
    this.#image = element("img", { part: "preview", alt: "", hidden: "" });
    this.#image.addEventListener("load", () => (this.#image.hidden = false));
    this.#drop = element(
      "div",
      { part: "drop", class: "drop" },
      this.#image,
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
      // So that choosing the same file again is a change, too.
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
    else this.#say(this.text("no-photo"), true);
  }

  /** Search by a File or Blob. */
  async search(photo) {
    this.#show(photo);
    this.#say(this.text("searching"));
    this.#list.classList.add("skeleton");
    this.#list.replaceChildren(...Array.from({ length: this.limit }, skeleton));
    this.#list.setAttribute("aria-hidden", "true");
    const body = new FormData();
    body.append("photo", photo);
    body.append("limit", this.limit);
    const url = new URL(`api/collections/${encodeURIComponent(this.collection)}/search`, this.api);
    const answer = await this.ask(url, { method: "POST", body });
    if (!answer) return;
    this.#fill(this.cards(answer.results));
    this.#say(this.text(answer.results.length ? "found" : "nothing"));
    this.tell("load", answer);
  }

  problem({ message }) {
    this.#fill([]);
    this.#say(message, true);
  }

  #fill(cards) {
    this.#list.classList.remove("skeleton");
    this.#list.removeAttribute("aria-hidden");
    this.#list.replaceChildren(...cards);
  }

  #show(photo) {
    URL.revokeObjectURL(this.#preview);
    this.#preview = URL.createObjectURL(photo);
    this.#image.hidden = true;
    this.#image.src = this.#preview;
  }

  #say(message, isError = false) {
    this.#status.textContent = message;
    this.#status.classList.toggle("error", isError);
  }
}

async function fetchAnswer(url, options, host) {
  let response;
  try {
    response = await fetch(url, { credentials: "omit", headers: { Accept: "application/json" }, ...options });
  } catch {
    throw new Problem(0, host.text("offline"), "");
  }
  const body = await response.json().catch(() => null);
  if (!response.ok || !Array.isArray(body?.results)) throw new Problem(response.status, body?.title ?? host.text("failed"), body?.detail ?? "");
  return body;
}

/** An element with attributes and children. Texts become text nodes: data is never read as markup. */
function element(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.filter(Boolean));
  return node;
}

function skeleton() {
  return element("li", {}, element("span", { class: "media" }), element("span", { class: "title" }), element("span", { class: "offer" }));
}

/** The href of a link to an http(s) address; none where the shop gave no address, or a `javascript:` one. */
function address(given, base) {
  const url = given && new URL(given, base);
  return url && /^https?:$/.test(url.protocol) ? { href: url.href } : {};
}

/** The price as the page's language writes it. */
function money({ price, currency }, host) {
  const locale = host.closest("[lang]")?.lang || undefined;
  try {
    return new Intl.NumberFormat(locale, { style: "currency", currency }).format(price);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return `${price} ${currency}`;
  }
}

customElements.get("similar-products") ?? customElements.define("similar-products", SimilarProducts);
customElements.get("visual-search") ?? customElements.define("visual-search", VisualSearch);
