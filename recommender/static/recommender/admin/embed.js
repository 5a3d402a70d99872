/** Updates preview and lines to copy while the form is filled in: the server makes them, this only asks for them. */

const PAUSE_MS = 400;

const form = document.querySelector("#embed-form");
let timer = 0;
let asked = null;

async function update() {
  const address = `?${new URLSearchParams(new FormData(form))}`;
  asked?.abort();
  asked = new AbortController();
  let text;
  try {
    const response = await fetch(address, { signal: asked.signal, redirect: "error" });
    if (!response.ok) throw new Error(`status ${response.status}`);
    text = await response.text();
  } catch (error) {
    // The button of the form still works, and says what is wrong.
    if (error.name !== "AbortError") form.querySelector("[type=submit]").hidden = false;
    return;
  }
  history.replaceState(null, "", address);
  const page = new DOMParser().parseFromString(text, "text/html");
  document.querySelector("#embed-result").replaceChildren(...page.querySelector("#embed-result").childNodes);
}

form.querySelector("[type=submit]").hidden = true;
form.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(update, PAUSE_MS);
});
// A key or a test is for the strip as it is filled in now.
for (const other of document.querySelectorAll(".embed-post")) {
  other.addEventListener("submit", () => other.setAttribute("action", `?${new URLSearchParams(new FormData(form))}`));
}
