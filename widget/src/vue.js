/** The widget for Vue: the elements as components, and a composable for pages that draw recommendations themselves. */

import { defineComponent, h, onMounted, ref, shallowRef, toValue, watch } from "vue";
import { similar } from "./client.js";

const PROPERTIES = ["transformItems", "renderItem"];
const EVENTS = { load: "similar:load", click: "similar:click", error: "similar:error", addToBasket: "similar:add-to-basket" };

/**
 * Products similar to a product, for your own markup: `const { results, isLoading } = useSimilar(() => ({ sku: props.sku }), { limit: 4 })`.
 * Seed and options may be refs or getters. Nothing is requested while the seed is null, nor where Vue renders on a server.
 */
export function useSimilar(seed, options = {}) {
  const response = shallowRef(null);
  const results = shallowRef([]);
  const error = shallowRef(null);
  const isLoading = ref(!!toValue(seed));
  onMounted(() =>
    watch(
      () => JSON.stringify([toValue(seed), toValue(options)]),
      (_, __, onCleanup) => {
        const request = new AbortController();
        onCleanup(() => request.abort());
        isLoading.value = !!toValue(seed);
        if (!isLoading.value) return;
        const settle = (found, problem) => {
          if (request.signal.aborted) return;
          response.value = found;
          results.value = found?.results ?? [];
          error.value = problem;
          isLoading.value = false;
        };
        similar(toValue(seed), { ...toValue(options), signal: request.signal }).then((found) => settle(found, null), (problem) => settle(null, problem));
      },
      { immediate: true },
    ),
  );
  return { results, response, error, isLoading };
}

function component(name, load) {
  return defineComponent({
    name: name.replace(/(?:^|-)(.)/g, (_, letter) => letter.toUpperCase()),
    inheritAttrs: false,
    props: Object.fromEntries(PROPERTIES.map((each) => [each, Function])),
    emits: Object.keys(EVENTS),
    setup(props, { attrs, slots, emit }) {
      const element = ref(null);
      onMounted(async () => {
        await load();
        for (const each of PROPERTIES) watch(() => props[each], (value) => element.value && (element.value[each] = value ?? null), { immediate: true });
      });
      const listeners = Object.fromEntries(Object.entries(EVENTS).map(([key, event]) => [`on:${event}`, (given) => emit(key, given)]));
      return () => {
        const attributes = Object.entries(attrs).filter(([, value]) => value !== false && value !== null && value !== undefined);
        const kebab = (key) => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
        // As attributes (^), whatever property the element may have.
        const written = Object.fromEntries(attributes.map(([key, value]) => [/^(on[A-Z]|class$|style$)/.test(key) ? key : `^${kebab(key)}`, value === true ? "" : value]));
        return h(name, { ...written, ...listeners, ref: element }, slots.default?.());
      };
    },
  });
}

/** `<similar-products>`: `<SimilarProducts sku="MUG-17" heading="You may also like" :min-price="5" @click="..." />`. */
export const SimilarProducts = component("similar-products", () => import("./similar.js"));

/** `<visual-search>`. */
export const VisualSearch = component("visual-search", () => import("./photo-search.js"));
