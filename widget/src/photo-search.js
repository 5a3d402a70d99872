/** `<visual-search>`: search by a photo that is dropped, pasted, chosen or taken. Loaded by similar.js for pages that have the element. */

import { element, Recommendations, searchByPhoto } from "./similar.js";
import { scaled } from "./photo.js";
import TEXTS from "./photo-texts.json";

const REASONS = { format: "no-photo", not_an_image: "no-photo", too_large: "too-large", too_many_pixels: "too-large" };
const STATUSES = { 0: "offline", 413: "too-large", 429: "busy" };

const STYLE = new CSSStyleSheet();
STYLE.replaceSync(`
.grid { padding: 0; display: grid; gap: calc(var(--_gap) * 1.5) var(--_gap); grid-template-columns: repeat(auto-fill, minmax(min(var(--_width), 45%), 1fr)); }
.drop { display: flex; flex-wrap: wrap; place-content: center; align-items: center; gap: .75rem 1rem; min-block-size: 14rem; padding: 1.5rem; text-align: center; border: 2px dashed var(--_line); border-radius: var(--_radius); background: var(--_surface); }
.drop.over { border-color: var(--_accent); border-style: solid; }
.drop p { flex-basis: 100%; margin: 0; }
canvas { inline-size: auto; max-inline-size: 100%; block-size: 10rem; object-fit: contain; border-radius: var(--_radius); }
.choose { border-color: currentColor; font-weight: 650; }
@supports (color: lch(from red l 0 0)) {
  /* On the page's text colour, black or white: a dark page need not say that it is dark. */
  .choose { background: var(--similar-accent, currentColor); }
  .choose span { color: var(--similar-on-accent, lch(from currentColor calc((50 - l) * 1000) 0 0)); }
}
.status { min-block-size: 1.4em; margin-block: 1.5rem .75rem; font-weight: 650; }
.status.error { padding-inline-start: .75rem; border-inline-start: .25rem solid var(--similar-error, currentColor); color: var(--similar-error, inherit); }
@media (pointer: coarse) { .drop p { display: none; } }
@media (pointer: fine) { .take { display: none; } }
`);

// Those in the page, and which one was used last: it answers a paste.
const searches = new Set();
let lastUsed = null;

class VisualSearch extends Recommendations {
  static observedAttributes = ["lang", "show-brand", "add-to-basket", "text-out-of-stock", "text-add-to-basket", ...Object.keys(TEXTS.en).map((name) => `text-${name}`)];
  #drop;
  #photo;
  #preview;
  #status;
  #list;
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

  attributeChangedCallback() {
    this.redraw();
  }

  /** Write all texts, and the cards, anew. */
  redraw() {
    if (!this.#drop) return;
    for (const node of this.#drop.querySelectorAll("[data-text]")) node.textContent = this.text(node.dataset.text, TEXTS);
    if (this.#said) this.#status.textContent = this.text(this.#said, TEXTS);
    if (this.#response) this.#fill(this.cards(this.#response));
  }

  #render() {
    this.shadowRoot.adoptedStyleSheets.push(STYLE);
    this.#preview = element("canvas", { part: "preview", "aria-hidden": "true", hidden: "" });
    this.#drop = element(
      "div",
      { part: "drop", class: "drop" },
      this.#preview,
      element("p", { part: "prompt", "data-text": "drop" }),
      ...this.#picker("choose", {}),
      ...this.#picker("take", { capture: "environment" }),
    );
    this.#status = element("p", { part: "status", class: "status", role: "status" });
    this.#list = element("ul", { part: "list", class: "grid", role: "list" });
    this.shadowRoot.replaceChildren(this.#drop, this.#status, this.#list);
    for (const name of ["dragenter", "dragover", "dragleave", "drop"]) this.#drop.addEventListener(name, (event) => this.#onDrag(event));
    this.redraw();
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
    this.#response = null;
    this.#preview.hidden = true;
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
    this.#show(small, photo);
    const response = await this.fetch((options) => searchByPhoto(small, options));
    if (!response) return;
    this.#response = response;
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
    this.#list.classList.remove("skeleton");
    this.#list.removeAttribute("aria-hidden");
    this.#list.replaceChildren(...cards);
  }

  /** On a canvas, because an image needs `blob:` in the page's policy. */
  async #show(small, photo) {
    const bitmap = await createImageBitmap(small, { resizeHeight: 320 }).catch(() => null);
    if (!bitmap || this.#photo !== photo) return;
    this.#preview.width = bitmap.width;
    this.#preview.height = bitmap.height;
    this.#preview.getContext("bitmaprenderer").transferFromImageBitmap(bitmap);
    this.#preview.hidden = false;
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
