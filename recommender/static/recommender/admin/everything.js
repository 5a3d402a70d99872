// The search over everything: opened by its buttons or Ctrl+K, searches while one types, arrows go through what was found.
const DELAY_MS = 150;

const dialog = document.querySelector("#everything");
const field = dialog.querySelector("input");
const note = dialog.querySelector("[role=status]");
const found = dialog.querySelector(".everything-found");
let request = new AbortController();
// Settled once the results are those of what was typed.
let shown = Promise.resolve();

function open() {
  if (dialog.open) return;
  dialog.showModal();
  field.select();
}

async function show(text, signal) {
  if (!text) return fill("", "");
  await new Promise((resolve) => setTimeout(resolve, DELAY_MS));
  if (signal.aborted) return;
  try {
    const response = await fetch(`${dialog.dataset.url}?${new URLSearchParams({ q: text })}`, { signal });
    if (!response.ok || response.redirected) throw new Error(response.statusText);
    const html = await response.text();
    fill(html);
    note.textContent = found.querySelector("[data-note]").dataset.note;
  } catch {
    if (!signal.aborted) fill("", dialog.dataset.failed);
  }
}

function fill(html, text = "") {
  found.innerHTML = html;
  note.textContent = text;
}

function search() {
  request.abort();
  request = new AbortController();
  shown = show(field.value.trim(), request.signal);
}

function step(by) {
  const stops = [field, ...found.querySelectorAll("a")];
  stops[Math.max(0, Math.min(stops.indexOf(document.activeElement) + by, stops.length - 1))].focus();
}

field.addEventListener("input", search);
document.querySelectorAll("[data-everything]").forEach((button) => button.addEventListener("click", open));
dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
// Its own area is covered by what is in it: the rest is the backdrop.
dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
dialog.addEventListener("keydown", async (event) => {
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    step(event.key === "ArrowDown" ? 1 : -1);
  } else if (event.key === "Enter" && event.target === field && !event.isComposing) {
    event.preventDefault();
    await shown;
    found.querySelector("a")?.click();
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
  event.preventDefault();
  open();
});
