/** The elements `<similar-products>` and `<visual-search>`, defined by importing this module. */

import type { Recommendation, SimilarResponse } from "./similar.js";

export * from "./similar.js";

export interface RecommendationsElement extends HTMLElement {
  /** Changes the results before they are shown. */
  transformItems: ((results: Recommendation[]) => Recommendation[]) | null;
  /** Makes a card; null for the usual one. */
  renderItem: ((result: Recommendation & { position: number }) => Node | string | null) | null;
}

export interface SimilarProductsElement extends RecommendationsElement {
  /** The API's last response; null before the first. */
  readonly response: SimilarResponse | null;
}

export interface VisualSearchElement extends RecommendationsElement {
  /** Search by a File or Blob. */
  search(photo: Blob): Promise<void>;
}

declare global {
  interface HTMLElementTagNameMap {
    "similar-products": SimilarProductsElement;
    "visual-search": VisualSearchElement;
  }
}
