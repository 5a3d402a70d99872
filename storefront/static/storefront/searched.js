/** Events of a search by words: its results once they were seen for a while, and clicks on them, as the widget reports strips. */

const IMPRESSION_MS = 1_000;

const list = document.querySelector("[data-query]");
const { query, collection, encoder, client, apiKey } = list.dataset;
const cards = [...list.children];
const { track } = await import(new URL(client, document.baseURI));

function send(type, details) {
  track(type, { query, collection, encoder, ...details }, { apiKey });
}

let timer;
const watch = new IntersectionObserver(
  ([{ isIntersecting }]) => {
    clearTimeout(timer);
    if (isIntersecting) wait();
  },
  { threshold: 0.5 },
);

function wait() {
  timer = setTimeout(report, IMPRESSION_MS);
}

function report() {
  if (document.hidden) return wait();
  watch.disconnect();
  send("impression", { results: cards.map((card) => Number(card.dataset.product)) });
}

// Half of a grid may not fit into the viewport: observe its first product.
watch.observe(cards[0]);

function follow({ target }) {
  const card = target.closest("a")?.closest("[data-product]");
  if (card) send("click", { result: Number(card.dataset.product), position: cards.indexOf(card) + 1 });
}

list.addEventListener("click", follow);
// The middle button opens a tab, the right one a menu.
list.addEventListener("auxclick", (event) => event.button === 1 && follow(event));
