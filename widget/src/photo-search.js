/** `<visual-search>`: search by a photo that is dropped, pasted, chosen or taken. Loaded by similar.js for pages that have the element. */

import { element, Recommendations, searchByPhoto, similar } from "./similar.js";
import { choices, FILTERS_STYLE } from "./filters.js";
import { Frame, FRAME_STYLE } from "./frame.js";
import { forget, keep, kept, scaled } from "./photo.js";
import TEXTS from "./photo-texts.json";

const REASONS = { format: "no-photo", not_an_image: "no-photo", too_large: "too-large", too_many_pixels: "too-large" };
const STATUSES = { 0: "offline", 413: "too-large", 429: "busy" };

// After the frame's last movement.
const PAUSE_MS = 400;

const STYLE = new CSSStyleSheet();
STYLE.replaceSync(`
.grid { padding: 0; display: grid; gap: calc(var(--_gap) * 1.5) var(--_gap); grid-template-columns: repeat(auto-fill, minmax(min(var(--_width), 45%), 1fr)); }
.drop { display: flex; flex-wrap: wrap; place-content: center; align-items: center; gap: 1em 2em; min-block-size: 14em; padding: 1.5em; text-align: center; border: 2px dashed var(--_line); border-radius: var(--_radius); background: var(--_surface); }
.drop.over { border-color: var(--_accent); border-style: solid; }
.drop p { margin: 0; }
.actions { display: flex; flex-wrap: wrap; justify-content: center; gap: .75em; }
.prompt { flex-basis: 100%; }
.full .prompt { display: none; }
.choose, .propose { border-color: currentColor; font-weight: 650; }
.full .choose { border-color: var(--_line); font-weight: inherit; }
@supports (color: lch(from red l 0 0)) {
  /* On the page's text colour, black or white: a dark page need not say that it is dark. */
  :not(.full) > .actions > .choose, .propose { background: var(--similar-accent, currentColor); }
  :not(.full) > .actions > .choose span, .propose span { color: var(--similar-on-accent, lch(from currentColor calc((50 - l) * 1000) 0 0)); }
}
.busy img { opacity: .5; }
.hint { flex-basis: 100%; color: var(--_muted); font-size: .875em; }
.examples { flex-basis: 100%; display: flex; flex-wrap: wrap; justify-content: center; align-items: center; gap: .75em; margin-block-start: .5em; color: var(--_muted); }
.examples p { flex-basis: 100%; font-size: .875em; }
.full .examples { display: none; }
.example { position: relative; inline-size: 4.5em; block-size: 4.5em; padding: 0; overflow: hidden; border-radius: var(--_radius); }
.more { align-self: start; padding-inline: 0; border: 0; color: var(--_muted); font-size: .875em; text-decoration: underline; text-underline-offset: .2em; }
.more:hover { color: inherit; }
.spoken { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (min-width: 48em) {
  .full .actions { flex-direction: column; align-items: stretch; max-inline-size: 18em; }
}
.answer { display: flex; flex-wrap: wrap; align-items: center; gap: .25em 1em; min-block-size: var(--_touch); margin-block: 1.25em .5em; }
.status { min-block-size: 1.4em; margin: 0; font-weight: 650; }
.status.error { padding-inline-start: .75em; border-inline-start: .25em solid var(--similar-error, currentColor); color: var(--similar-error, inherit); }
@media (pointer: coarse) { .prompt, .hint { display: none; } }
@media (pointer: fine) { .take { display: none; } }
@media (prefers-reduced-motion: no-preference) { .grid img { transition: opacity .2s; } }
${FRAME_STYLE}${FILTERS_STYLE}`);

// Those in the page, and which one was used last: it answers a paste.
const searches = new Set();
let lastUsed = null;

class VisualSearch extends Recommendations {
  static observedAttributes = ["lang", "show-brand", "add-to-basket", "text-out-of-stock", "text-add-to-basket", ...Object.keys(TEXTS.en).map((name) => `text-${name}`)];
  #drop;
  #canvas;
  #frame;
  #buttons = {};
  #status;
  #spoken;
  #list;
  #slot;
  #examples;
  #filters;
  // As it was given, and as it is sent.
  #photo = null;
  #small = null;
  // The product of which more is shown, instead of what looks like the photo.
  #liked = null;
  // What the results are narrowed down by, and what they may be.
  #chosen = {};
  #facets = null;
  // The API's `proposed_crop` for the whole photo.
  #proposed = null;
  #pause = 0;
  #response = null;
  // The last one to the photo.
  #ofPhoto = null;
  // The text of the status, by its name.
  #said = "";

  connectedCallback() {
    searches.add(this);
    if (this.#drop) return;
    this.#render();
    this.#restore();
  }

  disconnectedCallback() {
    this.abort();
    searches.delete(this);
  }

  abort() {
    super.abort();
    clearTimeout(this.#pause);
  }

  attributeChangedCallback() {
    this.redraw();
  }

  /** Write all texts, and the cards, again. */
  redraw() {
    if (!this.#drop) return;
    for (const node of this.shadowRoot.querySelectorAll("[data-text]")) node.textContent = this.#text(node.dataset.text);
    this.#frame.redraw();
    this.#drawFilters();
    if (this.#said) this.#status.textContent = this.#text(this.#said);
    if (this.#response) this.#fill(this.cards(this.#response));
  }

  #text(name) {
    return this.text(name, TEXTS).replace("{title}", () => this.#liked?.title);
  }

  /** The usual cards, each with a button for more like it. */
  cards(response) {
    const results = this.shown(response);
    return super.cards(response).map((item, index) => {
      const { product } = results[index];
      const more = element("button", { type: "button", part: "button more", class: "more" }, this.#text("more"));
      more.setAttribute("aria-label", `${more.textContent}: ${product.title}`);
      more.addEventListener("click", () => this.#like(product));
      item.append(more);
      return item;
    });
  }

  skeleton() {
    const item = super.skeleton();
    item.append(element("span", { class: "room" }));
    return item;
  }

  #render() {
    this.shadowRoot.adoptedStyleSheets.push(STYLE);
    this.#examples = element("div", { part: "examples", class: "examples", hidden: "" });
    this.#slot = element("slot", { name: "example", hidden: "" });
    this.#slot.addEventListener("slotchange", () => this.#drawExamples());
    this.#canvas = element("canvas", { part: "preview", "aria-hidden": "true" });
    this.#frame = new Frame(this.#canvas, { texts: (edges) => this.#named(edges), onChange: (name) => this.#onFrame(name) });
    this.#drop = element(
      "div",
      { part: "drop", class: "drop" },
      this.#frame.node,
      element(
        "div",
        { part: "actions", class: "actions" },
        element("p", { part: "prompt", class: "prompt", "data-text": "drop" }),
        this.#button("propose", () => this.#crop(this.#proposed.join(","))),
        this.#button("whole", () => this.#crop("")),
        ...this.#picker("choose", {}),
        ...this.#picker("take", { capture: "environment" }),
        this.#button("remove", () => this.#remove()),
        element("p", { part: "hint", class: "hint", id: "frame-help", "data-text": "frame-help", hidden: "" }),
        this.#examples,
      ),
    );
    this.#filters = element("div", { part: "filters", class: "filters" });
    this.#spoken = element("p", { class: "spoken", "aria-live": "polite" });
    this.#status = element("p", { part: "status", class: "status", role: "status" });
    this.#list = element("ul", { part: "list", class: "grid", role: "list" });
    const answer = element("div", { class: "answer" }, this.#status, this.#button("back", () => this.#goBack()));
    this.shadowRoot.replaceChildren(this.#slot, this.#drop, this.#spoken, answer, this.#filters, this.#list);
    for (const name of ["dragenter", "dragover", "dragleave", "drop"]) this.#drop.addEventListener(name, (event) => this.#onDrag(event));
    this.redraw();
  }

  /** A button that is hidden at first. */
  #button(name, onClick) {
    const button = element("button", { type: "button", part: `button ${name}`, class: name, hidden: "" }, element("span", { "data-text": name }));
    button.addEventListener("click", onClick);
    this.#buttons[name] = button;
    return button;
  }

  /** A button and the file input that it opens. */
  #picker(name, attributes) {
    const input = element("input", { type: "file", accept: "image/*", hidden: "", class: `${name}-input`, ...attributes });
    const button = element("button", { type: "button", part: `button ${name}`, class: name }, element("span", { "data-text": name }));
    button.addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      if (input.files.length) this.search(input.files[0]);
      // Choosing the same file again is then a change, too.
      input.value = "";
    });
    return [button, input];
  }

  /** The accessible name of the frame, with where it is. */
  #named({ left, top, right, bottom }) {
    const share = new Intl.NumberFormat(this.language, { style: "percent" });
    const values = { x: left, y: top, width: right - left, height: bottom - top };
    return this.text("frame", TEXTS).replace(/\{(\w+)\}/g, (_, name) => share.format(values[name]));
  }

  #onFrame(name) {
    this.#spoken.textContent = name;
    this.#offer();
    clearTimeout(this.#pause);
    this.#pause = setTimeout(() => this.#askForPhoto(), PAUSE_MS);
  }

  /** Search by a part of the photo. The button that was used hides, so that the frame takes the focus. */
  #crop(crop) {
    this.#frame.crop = crop;
    this.#frame.focus();
    this.#offer();
    this.#askForPhoto();
  }

  #askForPhoto() {
    this.#liked = null;
    return this.#ask();
  }

  #like(product) {
    this.#liked = product;
    this.#offer();
    // The card that had the focus goes.
    this.#buttons.back.focus();
    this.#ask();
  }

  #goBack() {
    const { id } = this.#liked;
    this.#liked = null;
    if (!this.#ofPhoto) {
      this.#frame.focus();
      return this.#ask();
    }
    this.abort();
    this.#answer(this.#ofPhoto);
    const place = this.shown(this.#ofPhoto).findIndex(({ product }) => product.id === id);
    (this.#list.children[place]?.querySelector(".more") ?? this.#frame).focus();
  }

  #narrow() {
    this.#ofPhoto = null;
    this.#ask();
  }

  #drawFilters() {
    const text = (name) => this.#text(name);
    this.#filters.replaceChildren(...choices(this.#facets, this.#chosen, { text, money: (price) => this.money(price), onChange: () => this.#narrow() }));
    this.#filters.hidden = !this.#filters.firstChild;
  }

  /** A button for each picture that the page names. */
  #drawExamples() {
    const pictures = this.#slot.assignedElements().filter(({ src }) => src);
    this.#examples.hidden = !pictures.length;
    const buttons = pictures.map(({ src, alt }) => {
      const button = element("button", { type: "button", part: "button example", class: "example" }, element("img", { src, alt }));
      button.addEventListener("click", () => this.#searchBy(src));
      return button;
    });
    this.#examples.replaceChildren(element("p", { "data-text": "examples" }, this.#text("examples")), ...buttons);
  }

  async #searchBy(address) {
    const response = await fetch(address).catch(() => null);
    if (response?.ok) this.search(await response.blob());
    else this.#announce("offline", true);
  }

  /** Show the photo of the session, and search by it once it is on the screen. */
  #restore() {
    const last = this.hasAttribute("no-storage") ? null : kept();
    if (!last) return;
    this.#photo = this.#small = last.photo;
    this.#frame.crop = last.crop;
    this.#offer();
    this.#show();
    const visible = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      visible.disconnect();
      if (this.#photo !== last.photo || this.#response) return;
      this.#wait();
      this.#ask();
    });
    visible.observe(this.#drop);
  }

  #remove() {
    this.#reset(null);
    this.#drop.classList.remove("full");
    this.#fill([]);
    this.#announce("");
    forget();
    this.#drop.querySelector(".choose").focus();
  }

  /** Begin with another photo, or none. */
  #reset(photo) {
    this.abort();
    this.#photo = photo;
    this.#small = this.#liked = this.#facets = this.#response = this.#ofPhoto = this.#proposed = null;
    this.#chosen = {};
    this.#frame.node.hidden = true;
    this.#frame.crop = "";
    this.#offer();
    this.#drawFilters();
  }

  #wait() {
    this.#announce("searching");
    this.#list.classList.add("skeleton");
    this.#list.replaceChildren(...this.skeletons());
    this.#list.setAttribute("aria-hidden", "true");
  }

  /** Show the buttons that change something. */
  #offer() {
    this.#buttons.remove.hidden = !this.#small;
    this.#buttons.back.hidden = !this.#liked;
    this.#buttons.whole.hidden = this.#frame.isWhole;
    this.#buttons.propose.hidden = !this.#proposed || !this.#frame.isWhole;
    this.#frame.proposed = this.#buttons.propose.hidden ? null : this.#proposed;
  }

  #onDrag(event) {
    event.preventDefault();
    this.#drop.classList.toggle("over", event.type === "dragenter" || event.type === "dragover");
    if (event.type !== "drop") return;
    const [file] = event.dataTransfer.files;
    if (file) this.search(file);
    else this.#announce("no-photo", true);
  }

  /** Search by a File or Blob. */
  async search(photo) {
    lastUsed = this;
    this.#reset(photo);
    this.#wait();
    const small = await scaled(photo);
    if (this.#photo !== photo) return;
    // The API may know photos that this browser does not; what says that it is something else is not sent.
    if (small === photo && photo.type && !photo.type.startsWith("image/")) {
      this.#drop.classList.remove("full");
      this.#fill([]);
      return this.#announce("no-photo", true);
    }
    this.#small = small;
    this.#offer();
    this.#show();
    await this.#ask();
  }

  /** Ask for what looks like the part of the photo in the frame, or like the product that is liked. */
  async #ask() {
    const [crop, liked, photo] = [this.#frame.crop, this.#liked, this.#small];
    const chosen = Object.values(this.#chosen);
    // Of what is narrowed down, facets have nothing else to choose.
    const facets = this.hasAttribute("filters") && !chosen.length;
    this.#announce("searching");
    this.#list.classList.add("busy");
    const response = await this.fetch((options) => {
      const asked = Object.assign({}, options, ...chosen);
      return liked ? similar({ product: liked.id }, asked) : searchByPhoto(photo, { ...asked, crop, ...(facets && { facets }) });
    });
    if (!response) return;
    if (!liked) {
      this.#ofPhoto = response;
      // Only of a whole photo.
      if (!crop) this.#proposed = response.proposed_crop ?? null;
      if (response.facets) {
        this.#facets = response.facets;
        this.#drawFilters();
      }
      if (!this.hasAttribute("no-storage")) keep(photo, crop);
    }
    this.#answer(response);
  }

  #answer(response) {
    this.#response = response;
    this.#offer();
    this.#fill(this.cards(response));
    const found = this.#liked ? "alike" : "found";
    this.#announce(response.results.length ? found : Object.keys(this.#chosen).length ? "nothing-chosen" : "nothing");
    this.emit("load", response);
    // Half of a grid may not fit into the viewport: observe its first product.
    if (response.results.length) this.watch(this.#list.firstElementChild, response);
  }

  onProblem({ status, type, reason }) {
    this.#fill([]);
    this.#announce(STATUSES[status] ?? (type === "image-rejected" ? (REASONS[reason] ?? "damaged") : "failed"), true);
  }

  #fill(cards) {
    this.#list.classList.remove("skeleton", "busy");
    this.#list.removeAttribute("aria-hidden");
    this.#list.replaceChildren(...cards);
  }

  /** On a canvas, because an image needs `blob:` in the page's policy. What the browser cannot decode has neither picture nor frame. */
  async #show() {
    const small = this.#small;
    const bitmap = await createImageBitmap(small).catch(() => null);
    if (this.#small !== small) return;
    this.#drop.classList.toggle("full", !!bitmap);
    this.#frame.node.hidden = this.#drop.querySelector(".hint").hidden = !bitmap;
    if (!bitmap) return;
    this.#frame.node.style.setProperty("--ratio", bitmap.width / bitmap.height);
    this.#canvas.width = bitmap.width;
    this.#canvas.height = bitmap.height;
    this.#canvas.getContext("bitmaprenderer").transferFromImageBitmap(bitmap);
  }

  #announce(name, isError = false) {
    this.#said = name;
    this.#status.textContent = name && this.#text(name);
    this.#status.classList.toggle("error", isError);
  }
}

/** One search answers a paste: the one that it happened in, else the last one used, else the first. Text fields keep theirs. */
function onPaste(event) {
  const file = event.clipboardData?.files[0];
  const path = event.composedPath();
  if (!file || event.defaultPrevented || path.some((node) => node.matches?.("input, textarea, [contenteditable]:not([contenteditable=false])"))) return;
  const search = [...searches].find((each) => path.includes(each)) ?? (searches.has(lastUsed) ? lastUsed : document.querySelector("visual-search") ?? [...searches][0]);
  search?.search(file);
}

if (!customElements.get("visual-search")) {
  customElements.define("visual-search", VisualSearch);
  document.addEventListener("paste", onPaste);
}
