// The photos of a product as tiles: put in order by dragging, by buttons or by arrow keys, with the chosen files among them.

const DRAG_PX = 6;

const chooser = document.querySelector(".new-photos");
if (chooser) start(chooser);

function start(chooser) {
  const texts = chooser.dataset;
  const input = chooser.querySelector("input[type=file]");
  const template = chooser.querySelector("template");
  const status = chooser.querySelector("[role=status]");
  const own = chooser.querySelector(".photo-tiles");
  // The page of a product that is saved has a list already.
  const list = document.querySelector(".photos .photo-tiles") ?? own;
  const files = new Map(); // Tile -> its file, of those that are not sent yet.

  const tiles = () => [...list.children];
  const text = (template, ...values) => template.replace(/%([12])/g, (_, number) => values[number - 1]);
  const removal = (tile) => tile.querySelector(".removal input");
  const isRemoved = (tile) => Boolean(removal(tile)?.checked);

  /** Show where each tile is, and have the field send the files in the order of their tiles. */
  function update() {
    const all = tiles();
    const main = all.find((tile) => !isRemoved(tile));
    all.forEach((tile, index) => {
      const number = index + 1;
      tile.querySelector(".main").hidden = tile !== main;
      tile.classList.toggle("removed", isRemoved(tile));
      tile.setAttribute("aria-label", text(texts.place, number, all.length));
      for (const name of ["earlier", "later"]) nameButton(tile, name, text(texts[name], number));
      nameButton(tile, "grip", text(texts.drag, number));
      tile.querySelector(".earlier").disabled = index === 0;
      tile.querySelector(".later").disabled = number === all.length;
    });
    const chosen = new DataTransfer();
    for (const tile of all) if (files.has(tile) && !isRemoved(tile)) chosen.items.add(files.get(tile));
    input.files = chosen.files;
  }

  /** A page whose order nobody has changed sends the positions that it has got. */
  function number() {
    tiles().forEach((tile, index) => (tile.querySelector(".position input").value = index));
    update();
    input.dispatchEvent(new Event("input", { bubbles: true })); // So that leaving the page warns.
  }

  function nameButton(tile, name, label) {
    const button = tile.querySelector(`.${name}`);
    button.setAttribute("aria-label", label);
    button.title = label;
  }

  function announcePlace(tile) {
    status.textContent = text(texts.moved, tiles().indexOf(tile) + 1, list.children.length);
  }

  function move(tile, to) {
    const all = tiles();
    const from = all.indexOf(tile);
    const place = Math.max(0, Math.min(to, all.length - 1));
    if (place === from) return;
    const focused = tile.contains(document.activeElement) ? document.activeElement : null;
    list.insertBefore(tile, place > from ? all[place].nextSibling : all[place]);
    number();
    announcePlace(tile);
    if (focused?.disabled) tile.querySelector(".grip").focus();
    else focused?.focus();
  }

  function addFile(file) {
    const tile = template.content.firstElementChild.cloneNode(true);
    const picture = tile.querySelector("img");
    picture.addEventListener("load", () => URL.revokeObjectURL(picture.src), { once: true });
    picture.addEventListener("error", () => picture.remove(), { once: true }); // A format that browsers do not show.
    picture.src = URL.createObjectURL(file);
    tile.querySelector(".file").textContent = file.name;
    files.set(tile, file);
    list.append(tile);
    equip(tile);
  }

  function equip(tile) {
    tile.querySelector(".moves").hidden = false;
    tile.querySelector(".position").hidden = true;
    tile.querySelector(".earlier").addEventListener("click", () => move(tile, tiles().indexOf(tile) - 1));
    tile.querySelector(".later").addEventListener("click", () => move(tile, tiles().indexOf(tile) + 1));
    tile.querySelector(".grip").addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1, Home: -Infinity, End: Infinity }[event.key];
      if (steps === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      move(tile, tiles().indexOf(tile) + steps);
    });
    removal(tile)?.addEventListener("change", () => {
      // What is not sent has no text and no position.
      if (files.has(tile)) {
        for (const field of tile.querySelectorAll("input:not([type=checkbox])")) field.disabled = isRemoved(tile);
      }
      update();
    });
    tile.addEventListener("pointerdown", (event) => {
      const handle = event.target.closest(".grip") ?? (event.pointerType === "mouse" ? event.target.closest(".picture") : null);
      if (handle && event.button === 0) drag(tile, event);
    });
  }

  function drag(tile, { clientX, clientY, pointerId }) {
    const before = tile.nextSibling;
    const ending = new AbortController();
    const options = { signal: ending.signal };
    let dragged = false;

    function follow(event) {
      if (event.pointerId !== pointerId) return;
      if (!dragged && Math.hypot(event.clientX - clientX, event.clientY - clientY) < DRAG_PX) return;
      dragged = true;
      tile.classList.add("dragged");
      const over = document.elementFromPoint(event.clientX, event.clientY)?.closest(".photo-tile");
      if (!over || over === tile || over.parentNode !== list) return;
      const all = tiles();
      list.insertBefore(tile, all.indexOf(over) > all.indexOf(tile) ? over.nextSibling : over);
    }

    function undo() {
      list.insertBefore(tile, before);
      dragged = false;
      end();
    }

    function end() {
      ending.abort();
      tile.classList.remove("dragged");
      if (!dragged) return;
      // The click that ends it does not open the photo.
      const swallow = (event) => event.preventDefault();
      document.addEventListener("click", swallow, { capture: true, once: true });
      setTimeout(() => document.removeEventListener("click", swallow, { capture: true }));
      number();
      announcePlace(tile);
    }

    document.addEventListener("pointermove", follow, options);
    document.addEventListener("pointerup", end, options);
    document.addEventListener("pointercancel", undo, options);
    document.addEventListener("keydown", ({ key }) => key === "Escape" && undo(), options);
  }

  input.addEventListener("change", () => {
    const chosen = [...input.files];
    chosen.forEach(addFile);
    if (!chosen.length) return update();
    number();
    status.textContent = text(texts.added, chosen.map((file) => file.name).join(", "));
  });
  if (list !== own) list.append(...own.children);
  // After a mistake the page has the order that was sent.
  const place = (tile) => Number(tile.querySelector(".position input").value || Infinity);
  list.append(...tiles().sort((one, other) => place(one) - place(other) || 0));
  tiles().forEach(equip);
  update();
}
