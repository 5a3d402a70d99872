/** `<visual-search>`: search by a photo that is dropped, pasted, chosen or taken. Loaded by similar.js for pages that have the element. */

import { element, Recommendations, searchByPhoto } from "./similar.js";
import { Frame, FRAME_STYLE } from "./frame.js";
import { scaled } from "./photo.js";
import TEXTS from "./photo-texts.json";

const REASONS = { format: "no-photo", not_an_image: "no-photo", too_large: "too-large", too_many_pixels: "too-large" };
const STATUSES = { 0: "offline", 413: "too-large", 429: "busy" };

// After the frame's last movement.
const PAUSE_MS = 400;

const STYLE = new CSSStyleSheet();
STYLE.replaceSync(`
.grid { padding: 0; display: grid; gap: calc(var(--_gap) * 1.5) var(--_gap); grid-template-columns: repeat(auto-fill, minmax(min(var(--_width), 45%), 1fr)); }
.drop { display: flex; flex-wrap: wrap; place-content: center; align-items: center; gap: 1rem 2rem; min-block-size: 14rem; padding: 1.5rem; text-align: center; border: 2px dashed var(--_line); border-radius: var(--_radius); background: var(--_surface); }
.drop.over { border-color: var(--_accent); border-style: solid; }
.drop p { margin: 0; }
.actions { display: flex; flex-wrap: wrap; justify-content: center; gap: .75rem; }
.prompt { flex-basis: 100%; }
.full .prompt { display: none; }
.choose, .propose { border-color: currentColor; font-weight: 650; }
.full .choose { border-color: var(--_line); font-weight: inherit; }
@supports (color: lch(from red l 0 0)) {
  /* On the page's text colour, black or white: a dark page need not say that it is dark. */
  :not(.full) > .actions > .choose, .propose { background: var(--similar-accent, currentColor); }
  :not(.full) > .actions > .choose span, .propose span { color: var(--similar-on-accent, lch(from currentColor calc((50 - l) * 1000) 0 0)); }
}
.busy { opacity: .5; }
.hint { flex-basis: 100%; color: var(--_muted); font-size: .875rem; }
.spoken { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (min-width: 48rem) {
  .full .actions { flex-direction: column; align-items: stretch; max-inline-size: 18rem; }
}
.status { min-block-size: 1.4em; margin-block: 1.5rem .75rem; font-weight: 650; }
.status.error { padding-inline-start: .75rem; border-inline-start: .25rem solid var(--similar-error, currentColor); color: var(--similar-error, inherit); }
@media (pointer: coarse) { .prompt, .hint { display: none; } }
@media (pointer: fine) { .take { display: none; } }
@media (prefers-reduced-motion: no-preference) { .grid { transition: opacity .2s; } }
${FRAME_STYLE}`);

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
  // As it was given, and as it is sent.
  #photo;
  #small;
  // The API's `proposed_crop` for the whole photo.
  #proposed = null;
  #pause = 0;
  #response = null;
  // The text of the status, by its name.
  #said = "";

  connectedCallback() {
    searches.add(this);
    if (!this.#drop) this.#render();
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

  /** Write all texts, and the cards, anew. */
  redraw() {
    if (!this.#drop) return;
    for (const node of this.#drop.querySelectorAll("[data-text]")) node.textContent = this.text(node.dataset.text, TEXTS);
    this.#frame.redraw();
    if (this.#said) this.#status.textContent = this.text(this.#said, TEXTS);
    if (this.#response) this.#fill(this.cards(this.#response));
  }

  #render() {
    this.shadowRoot.adoptedStyleSheets.push(STYLE);
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
        element("p", { part: "hint", class: "hint", id: "frame-help", "data-text": "frame-help", hidden: "" }),
      ),
    );
    this.#spoken = element("p", { class: "spoken", "aria-live": "polite" });
    this.#status = element("p", { part: "status", class: "status", role: "status" });
    this.#list = element("ul", { part: "list", class: "grid", role: "list" });
    this.shadowRoot.replaceChildren(this.#drop, this.#spoken, this.#status, this.#list);
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
    this.#pause = setTimeout(() => this.#ask(), PAUSE_MS);
  }

  /** Search by a part of the photo. The button that was used hides, so that the frame takes the focus. */
  #crop(crop) {
    this.#frame.crop = crop;
    this.#frame.focus();
    this.#offer();
    this.#ask();
  }

  /** Show the buttons that change something. */
  #offer() {
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
    this.#photo = photo;
    this.abort();
    this.#response = this.#proposed = null;
    this.#frame.node.hidden = true;
    this.#frame.crop = "";
    this.#offer();
    this.#announce("searching");
    this.#list.classList.add("skeleton");
    this.#list.replaceChildren(...Array.from({ length: this.maximum }, () => this.skeleton()));
    this.#list.setAttribute("aria-hidden", "true");
    const small = await scaled(photo);
    if (this.#photo !== photo) return;
    // The API may know photos that this browser does not; what says that it is something else is not sent.
    if (small === photo && photo.type && !photo.type.startsWith("image/")) {
      this.#fill([]);
      return this.#announce("no-photo", true);
    }
    this.#small = small;
    this.#show();
    await this.#ask();
  }

  /** Ask for what looks like the part of the photo in the frame. */
  async #ask() {
    const crop = this.#frame.crop;
    this.#announce("searching");
    this.#list.classList.add("busy");
    const response = await this.fetch((options) => searchByPhoto(this.#small, { ...options, crop }));
    if (!response) return;
    this.#response = response;
    // Only of a whole photo.
    if (!crop) this.#proposed = response.proposed_crop ?? null;
    this.#offer();
    this.#fill(this.cards(response));
    this.#announce(response.results.length ? "found" : "nothing");
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
    this.#status.textContent = this.text(name, TEXTS);
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
