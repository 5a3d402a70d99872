/** The widget for React: the elements as components, and hooks for pages that draw recommendations themselves. */

import { createElement, useEffect, useRef, useState } from "react";
import { ask, attributesOf, EVENTS, kebab, PROPERTIES } from "./wrapper.js";

// React sets neither properties that are functions nor listeners of events with a colon by props.
const LISTENERS = Object.entries(EVENTS).map(([name, event]) => [`on${name[0].toUpperCase()}${name.slice(1)}`, event]);
const TAKEN = [...PROPERTIES, ...LISTENERS.map(([name]) => name)];

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
    setState((before) => ({ ...before, isLoading: true }));
    return ask(seed, options, (found) => setState({ ...found, isLoading: false }));
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
  const given = attributesOf(props).filter(([name]) => !TAKEN.includes(name));
  const attributes = Object.fromEntries(given.map(([name, value]) => [name === "className" ? "class" : kebab(name), value]));
  useEffect(() => {
    // Only here, since there are no elements where React renders on a server.
    load();
  }, []);
  for (const key of PROPERTIES) {
    useEffect(() => {
      customElements.whenDefined(name).then(() => ref.current && (ref.current[key] = props[key] ?? null));
    }, [props[key]]);
  }
  for (const [key, event] of LISTENERS) {
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
