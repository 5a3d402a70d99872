/** The widget for Vue: the elements as components, and a composable for pages that draw recommendations themselves. */

import { defineComponent, h, onMounted, ref, shallowRef, toValue, watch } from "vue";
import { ask, attributesOf, EVENTS, kebab, PROPERTIES } from "./wrapper.js";

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
        isLoading.value = !!toValue(seed);
        if (!isLoading.value) return;
        const settle = (found) => {
          response.value = found.response;
          results.value = found.results;
          error.value = found.error;
          isLoading.value = false;
        };
        onCleanup(ask(toValue(seed), toValue(options), settle));
      },
      { immediate: true },
    ),
  );
  return { results, response, error, isLoading };
}

function component(tag, load) {
  return defineComponent({
    name: tag.replace(/(?:^|-)(.)/g, (_, letter) => letter.toUpperCase()),
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
        // As attributes (^), whatever property the element may have.
        const name = (key) => (/^(on[A-Z]|class$|style$)/.test(key) ? key : `^${kebab(key)}`);
        const written = Object.fromEntries(attributesOf(attrs).map(([key, value]) => [name(key), value]));
        return h(tag, { ...written, ...listeners, ref: element }, slots.default?.());
      };
    },
  });
}

/** `<similar-products>`: `<SimilarProducts sku="MUG-17" heading="You may also like" :min-price="5" @click="..." />`. */
export const SimilarProducts = component("similar-products", () => import("./similar.js"));

/** `<visual-search>`. */
export const VisualSearch = component("visual-search", () => import("./photo-search.js"));
