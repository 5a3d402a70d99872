/** Requests and events without elements. See docs/how-to/widget.md. */

/** A product as the API lists it. Addresses are absolute. */
export interface Product {
  id: number;
  sku: string;
  title: string;
  /** Slug path; "" without a category. */
  category: string;
  other_categories: string[];
  brand: string;
  /** A decimal number as text; null without a price. */
  price: string | null;
  /** The price before a reduction. */
  list_price: string | null;
  /** ISO 4217. */
  currency: string;
  available: boolean;
  image: string | null;
  /** Addresses of smaller pictures, by their longer side in pixels. */
  thumbnails: Record<string, string>;
  url: string | null;
}

export interface Recommendation {
  product: Product;
  /** Null for fallback results. */
  score: number | null;
  /** Calibrated probability that it is of the same kind. */
  confidence: number | null;
  matched_image: number | null;
  query_image: number | null;
  /** Of several products, the id of the one that it is similar to. */
  seed?: number;
}

export interface Facet {
  value: string;
  name: string;
  products: number;
}

export interface Facets {
  categories: Facet[];
  brands: Facet[];
  prices: { min_price: string | null; max_price: string | null; products: number }[];
  currency: string;
  attributes: Record<string, Facet[]>;
}

export interface SearchResponse {
  collection: string;
  encoder: string;
  /** What each part counted; null if the vectors have no parts. */
  weights: Record<string, number> | null;
  /** After a search by words. */
  count?: number;
  facets?: Facets;
  /** After a search by a whole photo, where its product is: x, y, width, height, 0 to 1. */
  proposed_crop?: [number, number, number, number];
  results: Recommendation[];
}

export interface SimilarResponse extends SearchResponse {
  /** Null if several products were named. */
  product: number | null;
  /** Whether nothing is similar, and the results are the newest of the category. */
  fallback: boolean;
}

/** Where the API is, and the filters that all requests take. */
export interface Options {
  /** Base URL of the API, may have a path. Default: where the script is; in a bundle, the page's origin. */
  api?: string | URL;
  /** A publishable key. */
  apiKey?: string;
  signal?: AbortSignal;
  category?: string;
  brand?: string;
  minPrice?: number | string;
  maxPrice?: number | string;
  currency?: string;
  available?: boolean;
  tag?: string | string[];
  attribute?: Record<string, string | string[]>;
  notCategory?: string | string[];
  notBrand?: string | string[];
  exclude?: number | number[];
  /** false: a category or brand that does not exist is no error. */
  strict?: boolean;
}

export interface RecommendationOptions extends Options {
  limit?: number;
  offset?: number;
  collection?: string;
  /** 0 (nearest first) to 1. */
  diversity?: number;
  minScore?: number;
  maxScore?: number;
  minConfidence?: number;
  /** What each part counts, e.g. "shape:1,colour:0.2,pattern:0.1". */
  weights?: string;
  /** Weights by name. */
  mode?: string;
  /** false: without merchandising rules. */
  rules?: boolean;
}

export interface SimilarOptions extends RecommendationOptions {
  /** What can be bought instead, for a product that is withdrawn or sold out. */
  substitutes?: boolean;
  /** false: no bestsellers and new products while the vector index is away. */
  fallback?: boolean;
}

/** What words are weighed against. Products are named by SKU or id, with a weight behind `^` if wanted. */
export interface SearchOptions extends RecommendationOptions {
  liked?: string | string[];
  disliked?: string | string[];
  /** Weight of the words beside looks. */
  textWeight?: number;
  /** Whether the last word is still being typed. */
  typing?: boolean;
  similarLooks?: boolean;
  /** Whether to count, in `facets`, what the results can be narrowed down by. */
  facets?: boolean;
}

/** One product, or several. */
export type Seed = { product: number } | { sku: string } | { products: number[] } | { skus: string[] };

/** An error of the API or the network. */
export class Problem extends Error {
  /** HTTP status; 0 without a response. */
  status: number;
  title: string;
  detail: string;
  /** The last part of the problem type, e.g. "image-rejected". */
  type: string;
  reason: string;
  /** What is wrong with each parameter. */
  errors: { parameter: string; detail: string }[];
}

export type EventDetails =
  | { product?: number; sku?: string; quantity?: number }
  | { product?: number | null; results: number[]; collection: string; encoder: string }
  | { product?: number | null; result: number; position: number; collection: string; encoder: string };

export const DEFAULT_API: string;
export const DEFAULT_LIMIT: number;

/** Products similar to one product, or to several: then the results of all take turns. Throws Problem. */
export function similar(seed: Seed, options?: SimilarOptions): Promise<SimilarResponse>;
/** Products by words, best first. Throws Problem. */
export function search(text: string, options?: SearchOptions): Promise<SearchResponse>;
/** Products that look like a photo, which the browser scales down first. Throws Problem. */
export function searchByPhoto(photo: Blob, options?: SearchOptions & { text?: string; crop?: string }): Promise<SearchResponse>;
/** Send an event. Returns whether it was queued. */
export function track(type: "impression" | "click" | "add_to_cart" | "purchase", details: EventDetails, options?: Pick<Options, "api" | "apiKey">): boolean;
/** Call back once, when half of an element was in view for a second: an impression. Returns a function that stops waiting. */
export function whenSeen(target: Element, seen: () => void): () => void;
