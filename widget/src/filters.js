/** What found products are narrowed down by: the API's facets as a row of choices. */

import { element } from "./similar.js";

export const FILTERS_STYLE = `
.filters { display: flex; flex-wrap: wrap; align-items: end; gap: .75em 1em; margin-block-end: 1.25em; }
.filters label { display: grid; gap: .25em; font-size: .875em; }
.filters .tick { display: flex; align-items: center; gap: .5em; min-block-size: var(--_touch); font-size: 1em; cursor: pointer; }
/* Below 16 px, phones enlarge the page when a choice is opened. */
select { max-inline-size: 14em; min-block-size: var(--_touch); padding: .5em .75em; border: 1px solid var(--_line); border-radius: .5em; font: inherit; font-size: max(16px, 1.143em); color: inherit; background: transparent; text-overflow: ellipsis; }
option { color: CanvasText; background: Canvas; }
.tick input { inline-size: 1.25em; block-size: 1.25em; margin: 0; accent-color: var(--similar-accent, auto); }
`;

/**
 * The choices of an answer's `facets`, as nodes; none where there is nothing to choose. `chosen` has the parameters of each choice by its
 * name, and is changed before `onChange()` is called. `text(name)` and `money({ price, currency })` write for the page's language.
 */
export function choices(facets, chosen, { text, money, onChange }) {
  const { categories = [], brands = [], prices = [], currency } = facets ?? {};
  const lists = {
    category: categories.map(({ value, name }) => [{ category: value }, `${"\u2003".repeat(value.split("/").length - 1)}${name}`]),
    brand: brands.map(({ value, name }) => [{ brand: value }, name]),
    price: prices.map((band) => [{ minPrice: band.min_price, maxPrice: band.max_price, currency }, range(band)]),
  };

  function range({ min_price: least, max_price: most }) {
    const [from, to] = [least, most].map((price) => price !== null && money({ price, currency }));
    return from && to ? `${from} – ${to}` : text(from ? "from" : "up-to").replace("{price}", () => from || to);
  }

  function choose(name, parameters) {
    if (parameters) chosen[name] = parameters;
    else delete chosen[name];
    onChange();
  }

  function list(name, options) {
    const select = element("select", { part: "select" }, element("option", { value: "" }, text("all")), ...options.map(([, label], index) => element("option", { value: index }, label)));
    const same = JSON.stringify(chosen[name]);
    select.value = `${options.findIndex(([parameters]) => JSON.stringify(parameters) === same)}`;
    if (!select.value) select.value = "";
    select.addEventListener("change", () => choose(name, options[select.value]?.[0]));
    return element("label", { part: "filter" }, text(name), select);
  }

  const lines = Object.entries(lists).filter(([, options]) => options.length > 1).map(([name, options]) => list(name, options));
  if (!lines.length) return [];
  const box = element("input", { type: "checkbox" });
  box.checked = !!chosen.available;
  box.addEventListener("change", () => choose("available", box.checked && { available: true }));
  return [...lines, element("label", { part: "filter", class: "tick" }, box, text("in-stock"))];
}
