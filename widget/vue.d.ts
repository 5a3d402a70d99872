import type { Component, MaybeRefOrGetter, Ref } from "vue";
import type { Problem, Recommendation, Seed, SimilarOptions, SimilarResponse } from "./similar.js";

export function useSimilar(
  seed: MaybeRefOrGetter<Seed | null>,
  options?: MaybeRefOrGetter<Omit<SimilarOptions, "signal">>,
): { results: Ref<Recommendation[]>; response: Ref<SimilarResponse | null>; error: Ref<Problem | null>; isLoading: Ref<boolean> };

/** Attributes of the element, `transformItems` and `renderItem`, and the events load, click, error and addToBasket. */
export const SimilarProducts: Component;
export const VisualSearch: Component;
