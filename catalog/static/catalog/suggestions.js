// Offers known words in every input with data-suggest, while somebody types: a datalist, filled from the catalogue.

const WAIT_MS = 150;

const lists = new WeakMap(); // Input -> its datalist.
const timers = new WeakMap(); // Input -> when words are offered for it.
let listsMade = 0;

function listOf(input) {
  if (!lists.has(input)) {
    const list = document.createElement("datalist");
    list.id = `suggestions-${++listsMade}`;
    input.after(list);
    input.setAttribute("list", list.id);
    lists.set(input, list);
  }
  return lists.get(input);
}

async function offer(input) {
  const { suggest, suggestUrl, suggestName } = input.dataset;
  const text = input.value;
  const query = new URLSearchParams({ source: suggest, text, name: suggestName ?? "" });
  try {
    const response = await fetch(`${suggestUrl}?${query}`, { headers: { Accept: "application/json" }, redirect: "error" });
    if (!response.ok || input.value !== text) return;
    const { suggestions } = await response.json();
    listOf(input).replaceChildren(...suggestions.map((word) => new Option(word, word)));
  } catch {
    // Words can be typed without being offered.
  }
}

function offerSoon({ target }) {
  if (!target.dataset?.suggest) return;
  clearTimeout(timers.get(target));
  timers.set(target, setTimeout(offer, WAIT_MS, target));
}

document.addEventListener("input", offerSoon);
document.addEventListener("focusin", offerSoon);
