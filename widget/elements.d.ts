/** The elements `<similar-products>` and `<visual-search>`, defined by importing this module. */

import type { Recommendation } from "./similar.js";

export * from "./similar.js";

export interface RecommendationsElement extends HTMLElement {
  /** Changes the results before they are shown. */
  transformItems: ((results: Recommendation[]) => Recommendation[]) | null;
  /** Makes a card; null for the usual one. */
  renderItem: ((result: Recommendation & { position: number }) => Node | string | null) | null;
}

export interface VisualSearchElement extends RecommendationsElement {
  /** Search by a File or Blob. */
  search(photo: Blob): Promise<void>;
}

declare global {
  interface HTMLElementTagNameMap {
    "similar-products": RecommendationsElement;
    "visual-search": VisualSearchElement;
  }
}
