/** Products that match what is being typed into the search box. Without this script the form searches when it is sent. */

const WAIT_MS = 150;
const SHOWN = 6;
const LEAST = 2;

for (const input of document.querySelectorAll("[data-suggestions]")) {
  const list = document.createElement("ul");
  list.id = `${input.id}-suggestions`;
  list.className = "suggestions";
  list.hidden = true;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", input.dataset.label);
  input.form.append(list);
  input.setAttribute("role", "combobox");
  input.setAttribute("aria-autocomplete", "list");
  input.setAttribute("aria-controls", list.id);
  input.setAttribute("aria-expanded", "false");

  let waiting;
  let asked;
  let chosen = -1;

  function show(products) {
    choose(-1);
    list.replaceChildren(...products.map(option));
    list.hidden = !products.length;
    input.setAttribute("aria-expanded", String(!list.hidden));
  }

  function option(product, index) {
    const item = document.createElement("li");
    item.id = `${list.id}-${index}`;
    item.setAttribute("role", "option");
    item.setAttribute("aria-selected", "false");
    const link = document.createElement("a");
    link.href = product.url;
    link.tabIndex = -1;
    const photo = Object.values(product.thumbnails ?? {})[0];
    if (photo) {
      const image = document.createElement("img");
      Object.assign(image, { src: photo, alt: "", width: 40, height: 40, loading: "lazy" });
      link.append(image);
    }
    const title = document.createElement("span");
    title.textContent = product.title;
    link.append(title);
    item.append(link);
    return item;
  }

  function choose(index) {
    list.children[chosen]?.setAttribute("aria-selected", "false");
    chosen = index;
    const item = list.children[chosen];
    item?.setAttribute("aria-selected", "true");
    if (item) input.setAttribute("aria-activedescendant", item.id);
    else input.removeAttribute("aria-activedescendant");
  }

  async function ask() {
    const text = input.value.trimStart();
    asked?.abort();
    if (text.trim().length < LEAST) return show([]);
    asked = new AbortController();
    const address = `${input.dataset.suggestions}?${new URLSearchParams({ text, typing: "true", limit: String(SHOWN) })}`;
    const headers = input.dataset.apiKey ? { Authorization: `Bearer ${input.dataset.apiKey}` } : {};
    try {
      const answer = await fetch(address, { headers, signal: asked.signal });
      // The box still searches when it is sent.
      if (answer.ok) show((await answer.json()).results.map((result) => result.product).filter((product) => product.url));
    } catch (error) {
      if (error.name !== "AbortError") show([]);
    }
  }

  input.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(ask, WAIT_MS);
  });
  input.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    const count = list.children.length;
    if (event.key === "ArrowDown") choose((chosen + 1) % count);
    else if (event.key === "ArrowUp") choose(chosen <= 0 ? count - 1 : chosen - 1);
    else if (event.key === "Escape") show([]);
    else if (event.key === "Enter" && chosen >= 0) list.children[chosen].querySelector("a").click();
    else return;
    event.preventDefault();
  });
  input.form.addEventListener("focusout", (event) => {
    if (!input.form.contains(event.relatedTarget)) show([]);
  });
  // A click on a suggestion must not take the focus away before it counts.
  list.addEventListener("pointerdown", (event) => event.preventDefault());
}
