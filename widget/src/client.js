/**
 * Requests and events without elements, for pages and servers that draw recommendations themselves. Usage: docs/how-to/widget.md.
 *
 *     import { similar } from "https://recommender.example/widget/v1/client.js";
 *     const { results } = await similar({ sku: "MUG-17" }, { limit: 4, available: true });
 */

// The script is at <API>/widget/<version>/. In a bundle, the API is that of the page's origin, whatever its <base> is.
const SCRIPT = import.meta.url;
export const DEFAULT_API = /\/widget\/[^/]+\/[^/]+$/.test(SCRIPT) ? new URL("../../", SCRIPT).href : /^http/.test(globalThis.location?.protocol) ? `${location.origin}/` : "/";
export const DEFAULT_LIMIT = 8;
const TIMEOUT_MS = 20_000;
// What an impression is: so much of an element in view, or of the screen filled by it, for so long in a row.
const SEEN_SHARE = 0.5;
const SEEN_MS = 1_000;
export const MAX_LIMIT = 100;

/**
 * An error of the API or the network. `status` is 0 without a response; `type` is the problem type, e.g. "image-rejected"; `errors` says
 * what is wrong with each parameter.
 */
export class Problem extends Error {
  constructor(status, { title = "No answer of the API", detail = "", type = "", reason = "", errors = [] } = {}, cause = undefined) {
    super(detail || title, { cause });
    // A proxy's answer may be something else under the same names.
    const named = Array.isArray(errors) ? errors.filter((each) => each?.parameter) : [];
    Object.assign(this, { status, title, detail, type: `${type ?? ""}`.split(":").at(-1), reason, errors: named });
  }
}

/**
 * Products similar to one product, or to several: `{ product: 42 }`, `{ sku: "MUG-17" }`, `{ products: [1, 2] }`, `{ skus: ["a", "b"] }`.
 * With several, the results of all take turns, and each has the product that it is similar to as `seed`.
 */
export async function similar(seed, options = {}) {
  const { substitutes, collection = "all", limit = DEFAULT_LIMIT, ...rest } = options;
  const several = seed.skus ?? seed.products;
  const ask = ({ product, sku }, count) =>
    request(
      `products/${encodeURIComponent(product ?? "by-sku")}${product ? "" : `/${encodeURIComponent(sku)}`}/${substitutes ? "substitutes" : "similar"}`,
      { limit: count, collection, ...rest },
    );
  if (!several) return ask(seed, limit);
  const seeds = several.map((each) => (seed.skus ? { sku: each } : { product: each }));
  // Of the results of one, the others are left out below.
  const settled = await Promise.allSettled(seeds.map((each) => ask(each, Math.min(+limit + seeds.length - 1, MAX_LIMIT))));
  const responses = settled.filter(({ value }) => value).map(({ value }) => value);
  if (!responses.length) throw settled[0]?.reason ?? new Problem(404, { title: "No product is named" });
  return merged(responses, { ...seed, limit });
}

function merged(responses, { skus = [], limit }) {
  // What is newest says less than what is similar.
  const alike = responses.filter(({ fallback }) => !fallback);
  const taken = new Set(responses.map(({ product }) => product));
  const lists = alike.length ? alike : responses;
  const waiting = lists.map(({ product: seed, results }) => results.map((result) => ({ ...result, seed })));
  const results = [];
  const isNew = ({ product }) => !taken.has(product.id) && !skus.includes(product.sku);
  while (results.length < limit) {
    const before = results.length;
    for (const queue of waiting) {
      const next = queue.find(isNew);
      if (!next) continue;
      taken.add(next.product.id);
      results.push(next);
    }
    if (results.length === before) break;
  }
  return { ...lists[0], product: null, results: results.slice(0, limit), fallback: !alike.length };
}

/** Products by words, best first; also beside products that are liked or not: `search("red", { liked: ["MUG-17"] })`. */
export function search(text, { collection = "all", limit = DEFAULT_LIMIT, ...options } = {}) {
  return request("search", { text, limit, collection, ...options });
}

/** Products that look like a photo, a File or Blob; the browser scales it down first. */
export async function searchByPhoto(photo, { collection = "all", limit = DEFAULT_LIMIT, ...options } = {}) {
  const { scaled } = await import("./photo.js");
  const body = new FormData();
  const small = await scaled(photo);
  body.append("photo", small, small.name ?? "photo");
  return request(`collections/${encodeURIComponent(collection)}/search`, { limit, ...options }, { method: "POST", body });
}

/** Send an event: `track("purchase", { product: 42, quantity: 2 })`. Returns whether it was queued. */
export function track(type, details, { api = DEFAULT_API, apiKey = "" } = {}) {
  if (navigator.doNotTrack === "1" || navigator.globalPrivacyControl) return false;
  // The value as it is: Prototype.js gives arrays a toJSON that makes texts of them.
  const body = JSON.stringify({ events: [{ type, ...details }] }, function (name) {
    return this[name];
  });
  try {
    // Beacons have no headers.
    return navigator.sendBeacon(new URL(`api/events${apiKey && `?api_key=${encodeURIComponent(apiKey)}`}`, baseOf(api)).href, new Blob([body], { type: "text/plain;charset=UTF-8" }));
  } catch {
    // Missing or replaced by a content blocker: ignored.
    return false;
  }
}

/** Call back once, when half of an element was in view for a second, or it filled half of the screen's height, in a tab that is shown and not transparent. Returns a function that stops waiting. */
export function whenSeen(target, seen) {
  let timer = null;
  const wait = () => (timer = setTimeout(report, SEEN_MS));
  const observer = new IntersectionObserver(
    (entries) => {
      const { intersectionRatio, intersectionRect, rootBounds } = entries.at(-1);
      const isSeen = intersectionRatio >= SEEN_SHARE || intersectionRect.height >= rootBounds?.height * SEEN_SHARE;
      if (isSeen) return (timer ??= wait());
      clearTimeout(timer);
      timer = null;
    },
    // In steps, since of a high element half is never in view.
    { threshold: [0.1, 0.2, 0.3, 0.4, SEEN_SHARE] },
  );
  const stop = () => {
    observer.disconnect();
    clearTimeout(timer);
  };
  function report() {
    // A closed drawer or tab may be transparent only.
    if (document.hidden || target.checkVisibility?.({ checkOpacity: true, checkVisibilityCSS: true }) === false) return wait();
    stop();
    seen();
  }
  observer.observe(target);
  return stop;
}

async function request(path, { api = DEFAULT_API, apiKey, signal, ...parameters }, options = {}) {
  const url = new URL(`api/${path}`, baseOf(api));
  const pairs = pairsOf(parameters);
  if (options.body) pairs.forEach(([name, value]) => options.body.append(name, value));
  else url.search = new URLSearchParams(pairs);
  const headers = { Accept: "application/json", ...(apiKey && { "X-API-Key": apiKey }) };
  const timer = new AbortController();
  const abort = () => timer.abort();
  const timeout = setTimeout(abort, TIMEOUT_MS);
  signal?.addEventListener("abort", abort);
  let response;
  let body;
  try {
    // As a text: functions that pages put in the place of these two expect one.
    response = await fetch(url.href, { credentials: "omit", ...options, headers, signal: timer.signal });
    body = await response.json().catch(() => null);
  } catch (error) {
    signal?.throwIfAborted();
    throw new Problem(0, {}, error);
  } finally {
    clearTimeout(timeout);
    signal?.removeEventListener("abort", abort);
  }
  if (!response.ok || !body?.results?.every?.((each) => each?.product)) throw new Problem(response.status, body ?? {});
  return body;
}

/** `{ minPrice: 5, tag: ["a", "b"], attribute: { colour: "blue" } }` as the API's parameters. */
function pairsOf(parameters) {
  const pairs = [];
  for (const [name, value] of Object.entries(parameters)) {
    const parameter = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    if (name === "attribute") for (const [key, text] of Object.entries(value)) [text].flat().forEach((each) => pairs.push([`attribute.${key}`, each]));
    else for (const each of [value].flat()) if (each !== undefined && each !== null && each !== "") pairs.push([parameter, each]);
  }
  return pairs;
}

/** A base URL with a trailing slash, so that it may have a path. Throws Problem. */
export function baseOf(url) {
  try {
    return new URL(`${url}`.trim().replace(/\/?$/, "/"), globalThis.document?.baseURI);
  } catch (error) {
    throw new Problem(0, { title: `No address of an API: ${url}` }, error);
  }
}

/** The URL of a path of the API, which is below its base URL; of an address with a host, that address; null if it is none. */
export function addressOf(path, base) {
  const below = /^\/(?!\/)/.test(path) && !path.startsWith(base.pathname);
  try {
    return new URL(below ? path.slice(1) : path, base);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return null;
  }
}
