/** The widget for React: the elements as components, and hooks for pages that draw recommendations themselves. */

import { createElement, useEffect, useRef, useState } from "react";
import { similar } from "./client.js";

// React sets neither properties that are functions nor listeners of events with a colon by props.
const PROPERTIES = ["transformItems", "renderItem"];
const EVENTS = { onLoad: "similar:load", onClick: "similar:click", onError: "similar:error", onAddToBasket: "similar:add-to-basket" };

/**
 * Products similar to a product, for your own markup: `const { results, isLoading } = useSimilar({ sku: "MUG-17" }, { limit: 4 })`.
 * Nothing is requested while the seed is null.
 */
export function useSimilar(seed, options = {}) {
  const [state, setState] = useState({ results: [], response: null, error: null, isLoading: !!seed });
  // Objects are new at each rendering: what they say decides.
  const asked = JSON.stringify([seed, options]);
  useEffect(() => {
    if (!seed) return undefined;
    const request = new AbortController();
    const set = (change) => request.signal.aborted || setState((before) => ({ ...before, isLoading: false, ...change }));
    set({ isLoading: true });
    similar(seed, { ...options, signal: request.signal }).then(
      (response) => set({ response, results: response.results, error: null }),
      (error) => set({ response: null, results: [], error }),
    );
    return () => request.abort();
  }, [asked]);
  return state;
}

/** `<similar-products>`: `<SimilarProducts sku="MUG-17" heading="You may also like" minPrice={5} onClick={...} />`. */
export function SimilarProducts(props) {
  return useElement("similar-products", () => import("./similar.js"), props);
}

/** `<visual-search>`. */
export function VisualSearch(props) {
  return useElement("visual-search", () => import("./photo-search.js"), props);
}

function useElement(name, load, { children, ...props }) {
  const ref = useRef(null);
  const attributes = {};
  for (const [key, value] of Object.entries(props)) {
    if (PROPERTIES.includes(key) || key in EVENTS || value === false || value === null || value === undefined) continue;
    attributes[key === "className" ? "class" : key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)] = value === true ? "" : value;
  }
  useEffect(() => {
    // Only here, since there are no elements where React renders on a server.
    load();
  }, []);
  for (const key of PROPERTIES) {
    useEffect(() => {
      customElements.whenDefined(name).then(() => ref.current && (ref.current[key] = props[key] ?? null));
    }, [props[key]]);
  }
  for (const [key, event] of Object.entries(EVENTS)) {
    const listener = props[key];
    useEffect(() => {
      const element = ref.current;
      if (!listener) return undefined;
      element.addEventListener(event, listener);
      return () => element.removeEventListener(event, listener);
    }, [listener]);
  }
  return createElement(name, { ...attributes, ref }, children);
}
