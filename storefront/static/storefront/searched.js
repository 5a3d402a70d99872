/** Events of a search by words: its results once they were seen, and clicks on them, as the widget reports strips. */

const list = document.querySelector("[data-query]");
const { query, collection, encoder, client, apiKey } = list.dataset;
const cards = [...list.children];
const { track, whenSeen } = await import(new URL(client, document.baseURI));

function send(type, details) {
  track(type, { query, collection, encoder, ...details }, { apiKey });
}

// Half of a grid may not fit into the viewport: its first product stands for it.
whenSeen(cards[0], () => send("impression", { results: cards.map((card) => Number(card.dataset.product)) }));

function follow({ target }) {
  const card = target.closest("a")?.closest("[data-product]");
  if (card) send("click", { result: Number(card.dataset.product), position: cards.indexOf(card) + 1 });
}

list.addEventListener("click", follow);
// The middle button opens a tab, the right one a menu.
list.addEventListener("auxclick", (event) => event.button === 1 && follow(event));
