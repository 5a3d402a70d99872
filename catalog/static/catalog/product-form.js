// Tags as chips and attributes as rows, in place of the text fields with JSON. Each change is written back into the text field,
// which is what is sent; a text that is not understood stays as it is.

function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** A text of the page's language, with a word in it. */
function text(template, word = "") {
  return template.replace("%s", () => word);
}

function putInPlace(field, editor, labelled) {
  field.hidden = true;
  field.after(editor);
  const label = document.querySelector(`label[for="${CSS.escape(field.id)}"]`);
  if (!label) return;
  label.id ||= `${field.id}-label`;
  editor.setAttribute("aria-labelledby", label.id);
  if (labelled) label.htmlFor = labelled.id;
  else label.removeAttribute("for");
}

function write(field, value) {
  if (field.value === value) return;
  field.value = value;
  field.dispatchEvent(new Event("input", { bubbles: true })); // So that leaving the page warns.
}

function removeButton(label) {
  const icon = element("span", { class: "material-symbols-outlined", "aria-hidden": "true" }, "close");
  return element("button", { type: "button", class: "remove", "aria-label": label, title: label }, icon);
}

// Tags

/** Words between commas or in lines; one in quotes may have commas. */
function split(list) {
  return [...list.matchAll(/\s*(?:"((?:[^"]|"")*)"\s*(?=,|\n|$)|([^,\n]*))(?:,|\n|$)/g)]
    .map(([, quoted, plain]) => (quoted === undefined ? plain : quoted.replaceAll('""', '"')).trim())
    .filter(Boolean);
}

function tagsOf(field) {
  try {
    const tags = JSON.parse(field.value.trim() || "[]");
    return Array.isArray(tags) && tags.every((tag) => typeof tag === "string") ? tags : null;
  } catch {
    return null;
  }
}

function chips(field) {
  const tags = tagsOf(field);
  if (!tags) return;
  const texts = field.dataset;
  const list = element("ul");
  const input = element("input", {
    id: `${field.id}-add`, type: "text", "data-suggest": "tags", "data-suggest-url": texts.suggestUrl, autocomplete: "off",
    "aria-describedby": `${field.id}-hint`, enterkeyhint: "done",
  });
  const status = element("p", { class: "visually-hidden", role: "status" });
  const hint = element("p", { id: `${field.id}-hint`, class: "hint" }, texts.hint);
  const editor = element("div", { class: "chips", role: "group" }, element("div", { class: "box" }, list, input), hint, status);

  function show() {
    list.replaceChildren(...tags.map((tag) => element("li", {}, element("span", {}, tag), removeButton(text(texts.remove, tag)))));
    list.hidden = !tags.length;
    write(field, JSON.stringify(tags));
  }

  function add(words) {
    const fresh = [...new Set(words)].filter((word) => !tags.includes(word));
    tags.push(...fresh);
    if (words.length) status.textContent = fresh.length ? text(texts.added, fresh.join(", ")) : text(texts.present, words.join(", "));
    show();
  }

  function addTyped() {
    const typed = input.value.trim();
    input.value = "";
    if (typed) add(offered(typed) ? [typed] : split(typed));
  }

  function offered(word) {
    return [...(input.list?.options ?? [])].some((option) => option.value === word);
  }

  function remove(index) {
    const [tag] = tags.splice(index, 1);
    status.textContent = text(texts.removed, tag);
    show();
    (list.querySelectorAll("button")[Math.min(index, tags.length - 1)] ?? input).focus();
  }

  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const inQuotes = input.value.startsWith('"') && (input.value.match(/"/g).length % 2 === 1);
    if (event.key === "Enter" || (event.key === "," && !inQuotes)) {
      event.preventDefault();
      addTyped();
    } else if (event.key === "Backspace" && !input.value && tags.length) {
      remove(tags.length - 1);
      input.focus();
    }
  });
  input.addEventListener("paste", (event) => {
    const pasted = event.clipboardData.getData("text");
    if (!/[,\n]/.test(pasted)) return;
    event.preventDefault();
    add(split(pasted));
  });
  input.addEventListener("input", (event) => {
    // One was chosen from the list.
    if (event.inputType === "insertReplacementText" && offered(input.value)) addTyped();
  });
  input.addEventListener("blur", addTyped);
  list.addEventListener("click", ({ target }) => {
    const button = target.closest("button");
    if (button) remove([...list.querySelectorAll("button")].indexOf(button));
  });
  field.form.addEventListener("submit", addTyped);
  editor.firstChild.addEventListener("click", ({ target, currentTarget }) => target === currentTarget && input.focus());
  putInPlace(field, editor, input);
  show();
}

// Attributes

let rowsMade = 0;

class AttributeRow {
  /** raw: the value's JSON as the server has sent it, which keeps long numbers exact. */
  constructor(texts, classes, name = "", raw = '""', isText = true) {
    const number = ++rowsMade;
    const value = isText ? JSON.parse(raw) : raw;
    this.texts = texts;
    this.raw = raw;
    this.isText = isText;
    const suggest = { class: classes, "data-suggest-url": texts.suggestUrl, autocomplete: "off", type: "text" };
    this.name = element("input", { ...suggest, "data-suggest": "attribute", id: `attribute-name-${number}`, "aria-label": texts.name });
    this.name.value = name;
    this.value = value.includes("\n")
      ? element("textarea", { class: classes, rows: "3" })
      : element("input", { ...suggest, "data-suggest": "value" });
    this.value.value = value;
    this.error = element("p", { class: "error", id: `attribute-error-${number}`, role: "alert" });
    this.button = removeButton("");
    this.node = element("li", {}, this.name, this.value, this.button, this.error);
    this.value.addEventListener("input", () => (this.raw = this.typed()));
    this.name.addEventListener("input", () => this.label());
    this.label();
  }

  label() {
    const name = this.name.value.trim();
    this.value.dataset.suggestName = name;
    this.value.setAttribute("aria-label", text(this.texts.value, name));
    this.button.setAttribute("aria-label", text(this.texts.remove, name));
    this.button.title = text(this.texts.remove, name);
  }

  /** A value that was a number or a list stays one, if what was typed still is. */
  typed() {
    const typed = this.value.value;
    if (!this.isText) {
      try {
        JSON.parse(typed);
        return typed;
      } catch {
        // It is a text now.
      }
    }
    return JSON.stringify(typed);
  }

  get empty() {
    return !this.name.value.trim() && !this.value.value;
  }

  complain(error) {
    this.error.textContent = error;
    this.name.toggleAttribute("aria-invalid", Boolean(error));
    if (error) this.name.setAttribute("aria-describedby", this.error.id);
    else this.name.removeAttribute("aria-describedby");
  }

  get json() {
    return `${JSON.stringify(this.name.value.trim())}: ${this.raw}`;
  }
}

function attributeRows(field) {
  if (!field.dataset.rows) return;
  const texts = field.dataset;
  const rows = JSON.parse(field.dataset.rows).map((row) => new AttributeRow(texts, field.className, ...row));
  const list = element("ul", {}, ...rows.map((row) => row.node));
  const add = element("button", { type: "button", class: "add", id: `${field.id}-add` }, texts.add);
  const editor = element("div", { class: "attribute-rows", role: "group" }, list, add);

  function save() {
    write(field, `{${rows.filter((row) => !row.empty).map((row) => row.json).join(", ")}}`);
  }

  function append() {
    const row = new AttributeRow(texts, field.className);
    rows.push(row);
    list.append(row.node);
    row.name.focus();
  }

  /** The first row with a mistake, each of which is marked. */
  function firstMistake() {
    const seen = new Set();
    let first = null;
    for (const row of rows) {
      const name = row.name.value.trim();
      const error = row.empty ? "" : !name ? texts.unnamed : seen.has(name) ? texts.twice : "";
      row.complain(error);
      seen.add(name);
      if (error) first ??= row;
    }
    return first;
  }

  list.addEventListener("input", save);
  list.addEventListener("focusout", firstMistakeIfLeft);
  function firstMistakeIfLeft({ relatedTarget }) {
    if (relatedTarget && !list.contains(relatedTarget)) firstMistake();
  }
  list.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing || event.target.localName !== "input") return;
    event.preventDefault();
    const row = rows.find(({ node }) => node.contains(event.target));
    if (event.target === row.name) row.value.focus();
    else if (row === rows.at(-1)) append();
    else rows[rows.indexOf(row) + 1].name.focus();
  });
  list.addEventListener("click", ({ target }) => {
    const button = target.closest("button");
    if (!button) return;
    const index = rows.findIndex((row) => row.button === button);
    rows.splice(index, 1)[0].node.remove();
    save();
    (rows[Math.min(index, rows.length - 1)]?.button ?? add).focus();
  });
  add.addEventListener("click", append);
  field.form.addEventListener("submit", (event) => {
    const mistake = firstMistake();
    if (!mistake) return;
    event.preventDefault();
    mistake.name.dispatchEvent(new Event("reveal", { bubbles: true }));
    mistake.name.focus();
  });
  putInPlace(field, editor, null);
}

document.querySelectorAll("textarea[data-chips]").forEach(chips);
document.querySelectorAll("textarea[data-attributes]").forEach(attributeRows);
