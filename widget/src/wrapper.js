/** What the wrappers for React and Vue have in common: how props become attributes, which of them are properties, and one request. */

import { similar } from "./client.js";

// Functions cannot be attributes.
export const PROPERTIES = ["transformItems", "renderItem"];
// Listeners by name.
export const EVENTS = { load: "similar:load", click: "similar:click", error: "similar:error", addToBasket: "similar:add-to-basket" };

/** The attributes that props are, as pairs of `minPrice` and its text; those that are off are left out. */
export function attributesOf(props) {
  return Object.entries(props)
    .filter(([, value]) => value !== false && value !== null && value !== undefined)
    .map(([name, value]) => [name, value === true ? "" : value]);
}

/** `min-price` of `minPrice`. */
export function kebab(name) {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** Ask for products similar to a seed. `settle` gets what a hook or a composable says, unless the returned function was called before. */
export function ask(seed, options, settle) {
  const request = new AbortController();
  const end = (found) => request.signal.aborted || settle({ response: null, results: [], error: null, ...found });
  similar(seed, { ...options, signal: request.signal }).then(
    (response) => end({ response, results: response.results }),
    (error) => end({ error }),
  );
  return () => request.abort();
}
