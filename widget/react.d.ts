import type { ReactElement, ReactNode } from "react";
import type { RecommendationsElement } from "./elements.js";
import type { Problem, Recommendation, Seed, SimilarOptions, SimilarResponse } from "./similar.js";

export interface SimilarState {
  results: Recommendation[];
  response: SimilarResponse | null;
  error: Problem | null;
  isLoading: boolean;
}

export function useSimilar(seed: Seed | null, options?: Omit<SimilarOptions, "signal">): SimilarState;

/** Attributes of the element, in camel case, its properties, and its events. */
export interface ElementProps {
  [attribute: string]: unknown;
  children?: ReactNode;
  transformItems?: RecommendationsElement["transformItems"];
  renderItem?: RecommendationsElement["renderItem"];
  onLoad?: (event: CustomEvent) => void;
  onClick?: (event: CustomEvent) => void;
  onError?: (event: CustomEvent) => void;
  onAddToBasket?: (event: CustomEvent) => void;
}

export function SimilarProducts(props: ElementProps & { productId?: number; sku?: string; skus?: string; heading?: string }): ReactElement;
export function VisualSearch(props: ElementProps): ReactElement;
