/** Both elements at once, for bundles. */

export * from "./similar.js";
import "./photo-search.js";
