/** Beside the widget's answer: what it says of each product, with links into the back office; and a choice of the collection. */

const choice = document.querySelector("#search-collection");
const answer = document.querySelector("#search-answer");
const { productUrl, encoder } = answer.dataset;
const language = document.documentElement.lang;
const score = new Intl.NumberFormat(language, { minimumFractionDigits: 3, maximumFractionDigits: 3 });
const percent = new Intl.NumberFormat(language, { style: "percent" });

function cell(tag, text, attributes = {}) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(text);
  return node;
}

function row({ product, score: points, confidence }, index) {
  const number = { class: "number" };
  const line = document.createElement("tr");
  const title = cell("th", cell("a", product.title, { href: productUrl.replace("/0/", `/${product.id}/`) }), { scope: "row" });
  title.append(cell("span", [product.sku, product.category].filter(Boolean).join(" · "), { class: "overview-reason" }));
  line.append(
    cell("td", index + 1, number),
    title,
    cell("td", points === null ? "–" : score.format(points), number),
    cell("td", confidence === null ? "–" : percent.format(confidence), number),
  );
  return line;
}

document.addEventListener("similar:load", ({ detail }) => {
  document.querySelector("#search-encoder").textContent = `${encoder} ${detail.encoder}`;
  document.querySelector("#search-rows").replaceChildren(...detail.results.map(row));
  answer.hidden = !detail.results.length;
});
document.addEventListener("similar:error", () => (answer.hidden = true));
// Results of another collection would be taken for this one's: begin afresh.
choice?.addEventListener("change", () => {
  const widget = document.querySelector("visual-search");
  const fresh = widget.cloneNode();
  fresh.setAttribute("collection", choice.value);
  widget.replaceWith(fresh);
  answer.hidden = true;
});
