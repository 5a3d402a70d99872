/** The frame on a photo, round the part that is searched: moved and resized by mouse, finger and keyboard. */

import { element } from "./similar.js";

// Shares of the photo's width and height: the smallest frame, a step of an arrow key, and how far a pointer moves to draw a new one.
const LEAST = 0.12;
const STEP = 0.04;
const SLIP = 0.02;
// Edges this near are the same: shares are sums of floating-point numbers.
const NEAR = 1e-6;
const WHOLE = { left: 0, top: 0, right: 1, bottom: 1 };
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export const FRAME_STYLE = `
.stage { position: relative; flex: none; inline-size: min(100%, 18em * var(--ratio), 30em); user-select: none; -webkit-user-select: none; }
.stage canvas { display: block; inline-size: 100%; block-size: auto; border-radius: calc(var(--_radius) / 2); }
.shade { position: absolute; inset: 0; overflow: hidden; border-radius: calc(var(--_radius) / 2); pointer-events: none; }
.shade::before, .proposal, .frame { content: ""; position: absolute; left: calc(var(--left) * 100%); top: calc(var(--top) * 100%); width: calc((var(--right) - var(--left)) * 100%); height: calc((var(--bottom) - var(--top)) * 100%); }
.shade::before { box-shadow: 0 0 0 100em rgb(0 0 0 / .55); }
.proposal { border: 2px dashed #fff; border-radius: .25em; outline: 1px solid rgb(0 0 0 / .45); outline-offset: 0; }
.frame { cursor: move; touch-action: none; outline-offset: 4px !important; box-shadow: inset 0 0 0 1.5px #fff, 0 0 0 1px rgb(0 0 0 / .45); }
.whole .frame { cursor: crosshair; touch-action: auto; }
.handle { position: absolute; inline-size: 44px; block-size: 44px; touch-action: none; cursor: nwse-resize; }
.handle::before { content: ""; position: absolute; inset: 21px; border: solid #fff; border-width: 4px 0 0 4px; filter: drop-shadow(0 0 1px #000) drop-shadow(0 0 1px #000); inline-size: 18px; block-size: 18px; }
@media (forced-colors: active) { .frame { border: 2px solid Highlight; } }
.left { left: -22px; }
.right { right: -22px; }
.top { top: -22px; }
.bottom { bottom: -22px; }
.right.top { rotate: 90deg; }
.right.bottom { rotate: 180deg; }
.left.bottom { rotate: 270deg; }
`;

export class Frame {
  #edges = WHOLE;
  #frame;
  #shade;
  #proposal = element("div", { class: "proposal", hidden: "" });
  #texts;
  #onChange;

  /**
   * The photo is drawn on `canvas`. `texts(edges)` gives the frame's accessible name; `onChange(name)` is called with it after each
   * change by the shopper.
   */
  constructor(canvas, { texts, onChange }) {
    this.#texts = texts;
    this.#onChange = onChange;
    const corners = [["left", "top"], ["right", "top"], ["left", "bottom"], ["right", "bottom"]];
    this.#frame = element(
      "div",
      // Screen readers leave the arrow keys to an application.
      { part: "frame", class: "frame", role: "application", tabindex: "0", "aria-describedby": "frame-help" },
      ...corners.map(([side, end]) => element("span", { part: "handle", class: `handle ${side} ${end}`, "data-side": side, "data-end": end })),
    );
    this.#shade = element("div", { class: "shade" }, this.#proposal);
    this.node = element("div", { part: "stage", class: "stage", hidden: "" }, canvas, this.#shade, this.#frame);
    this.node.addEventListener("pointerdown", (event) => this.#grab(event));
    this.#frame.addEventListener("keydown", (event) => this.#press(event));
    this.#draw();
  }

  get isWhole() {
    return Object.keys(WHOLE).every((name) => Math.abs(this.#edges[name] - WHOLE[name]) < NEAR);
  }

  /** The API's `crop`, `x,y,width,height`; "" for the whole photo. */
  get crop() {
    if (this.isWhole) return "";
    const { left, top, right, bottom } = Object.fromEntries(Object.entries(this.#edges).map(([name, share]) => [name, +share.toFixed(4)]));
    return [left, top, right - left, bottom - top].map((share) => +share.toFixed(4)).join(",");
  }

  set crop(text) {
    this.#edges = text ? edgesOf(text.split(",").map(Number)) : WHOLE;
    this.#draw();
  }

  /** Where the product seems to be, `[x, y, width, height]`; null for nowhere. */
  set proposed(crop) {
    this.#proposal.hidden = !crop;
    if (crop) place(this.#proposal, edgesOf(crop));
  }

  focus() {
    this.#frame.focus({ preventScroll: true });
  }

  /** Update the accessible name. */
  redraw() {
    this.#frame.setAttribute("aria-label", this.#texts(this.#edges));
  }

  #draw() {
    place(this.#frame, this.#edges);
    place(this.#shade, this.#edges);
    this.node.classList.toggle("whole", this.isWhole);
    this.redraw();
  }

  #change(edges) {
    this.#edges = edges;
    this.#draw();
    this.#onChange(this.#texts(edges));
  }

  /** Arrow keys move the frame; with Shift, they move its right and lower edges, and at the photo's edge the ones opposite. */
  #press(event) {
    const arrow = ARROWS[event.key];
    if (!arrow || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const [across, down] = arrow.map((sign) => sign * STEP);
    if (!event.shiftKey) return this.#change(moved(this.#edges, across, down));
    const { left, top, right, bottom } = this.#edges;
    const grown = (start, end, by) => (end > 1 - NEAR && by > 0 ? [Math.max(0, start - by), end] : [start, clamp(end + by, start + LEAST, 1)]);
    const [newLeft, newRight] = grown(left, right, across);
    const [newTop, newBottom] = grown(top, bottom, down);
    this.#change({ left: newLeft, top: newTop, right: newRight, bottom: newBottom });
  }

  #grab(event) {
    if (!event.isPrimary || event.button) return;
    const { side, end } = event.target.dataset;
    const isMove = !side && !this.isWhole && event.target === this.#frame;
    // Outside of a frame, a finger scrolls the page; a mouse draws a new one.
    if (!side && !isMove && event.pointerType === "touch") return;
    event.preventDefault();
    this.focus();
    this.node.setPointerCapture(event.pointerId);
    const before = this.#edges;
    const from = this.#at(event);
    const drag = (moving) => {
      const to = this.#at(moving);
      const [across, down] = [to.x - from.x, to.y - from.y];
      if (isMove) return this.#change(moved(before, across, down));
      if (side) return this.#change(pulled(before, side, end, across, down));
      if (Math.hypot(across, down) > SLIP) this.#change(between(from, to));
    };
    const release = () => {
      this.node.removeEventListener("pointermove", drag);
      for (const name of ["pointerup", "pointercancel"]) this.node.removeEventListener(name, release);
    };
    this.node.addEventListener("pointermove", drag);
    for (const name of ["pointerup", "pointercancel"]) this.node.addEventListener(name, release);
  }

  /** Where a pointer is, in shares of the photo. */
  #at({ clientX, clientY }) {
    const { left, top, width, height } = this.node.getBoundingClientRect();
    return { x: (clientX - left) / width, y: (clientY - top) / height };
  }
}

function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

function edgesOf([x, y, width, height]) {
  return { left: x, top: y, right: Math.min(1, x + width), bottom: Math.min(1, y + height) };
}

/** By the CSSOM: a policy may forbid style attributes. */
function place(node, edges) {
  for (const [name, share] of Object.entries(edges)) node.style.setProperty(`--${name}`, share);
}

function moved({ left, top, right, bottom }, across, down) {
  const x = clamp(across, -left, 1 - right);
  const y = clamp(down, -top, 1 - bottom);
  return { left: left + x, top: top + y, right: right + x, bottom: bottom + y };
}

function pulled(edges, side, end, across, down) {
  const { left, top, right, bottom } = edges;
  const x = side === "left" ? clamp(left + across, 0, right - LEAST) : clamp(right + across, left + LEAST, 1);
  const y = end === "top" ? clamp(top + down, 0, bottom - LEAST) : clamp(bottom + down, top + LEAST, 1);
  return { ...edges, [side]: x, [end]: y };
}

/** The frame between two points, and no smaller than may be. */
function between(one, other) {
  const span = (from, to) => {
    const [low, high] = [clamp(Math.min(from, to), 0, 1 - LEAST), clamp(Math.max(from, to), 0, 1)];
    return [low, Math.max(high, low + LEAST)];
  };
  const [left, right] = span(one.x, other.x);
  const [top, bottom] = span(one.y, other.y);
  return { left, top, right, bottom };
}
