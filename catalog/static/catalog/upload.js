// Uploads the file of an import in parts, so that an upload that was interrupted goes on where it stopped, also after a reload.

// A bucket takes parts of 5 MiB and more.
const PART_BYTES = 8 * 1024 * 1024;
const FIRST_RETRY_MS = 1000;
const MAX_RETRY_MS = 30000;

const form = document.getElementById("import-upload");
const input = form.querySelector("input[type=file]");
const button = form.querySelector("button[type=submit]");
const bar = document.getElementById("import-upload-bar");
const status = document.getElementById("import-upload-status");
const problem = document.getElementById("import-upload-error");
const token = form.querySelector("[name=csrfmiddlewaretoken]").value;
const percent = new Intl.NumberFormat(document.documentElement.lang || undefined, { style: "percent" });

class Refused extends Error {}

/** The place where this browser keeps how to go on with this file. */
function key(file) {
  return `import:${file.name}:${file.size}:${file.lastModified}`;
}

function remembered(file) {
  try {
    return JSON.parse(localStorage.getItem(key(file)));
  } catch {
    return null; // A browser without storage begins again.
  }
}

function remember(file, upload) {
  try {
    if (upload) localStorage.setItem(key(file), JSON.stringify(upload));
    else localStorage.removeItem(key(file));
  } catch {
    // The upload works without it.
  }
}

async function send(method, url, body, headers = {}) {
  const response = await fetch(url, { method, body, headers: { "X-CSRFToken": token, ...headers }, redirect: "error" });
  if (response.status === 409 || response.ok) return response;
  if (response.status >= 500 && response.status !== 507) throw new Error(String(response.status));
  const text = response.headers.get("Content-Type")?.startsWith("application/json") ? (await response.json()).error : form.dataset.refused;
  throw new Refused(text);
}

/** Where the file goes on: an upload that this browser has begun, or a new one. */
async function begin(file) {
  const known = remembered(file);
  if (known) {
    const response = await fetch(known.url, { method: "HEAD", redirect: "error" });
    if (response.ok) return { ...known, offset: Number(response.headers.get("Upload-Offset")) };
    remember(file, null);
  }
  const response = await send("POST", form.dataset.url, JSON.stringify({ name: file.name, size: file.size }));
  const upload = await response.json();
  remember(file, upload);
  return { ...upload, offset: 0 };
}

function show(offset, file) {
  bar.max = file.size;
  bar.value = offset;
  const text = form.dataset.progress.replace("{share}", percent.format(offset / file.size));
  if (status.textContent !== text) status.textContent = text;
}

async function upload(file) {
  let wait = FIRST_RETRY_MS;
  for (;;) {
    try {
      const { url, page, offset: start } = await begin(file);
      let offset = start;
      show(offset, file);
      while (offset < file.size) {
        const response = await send("PATCH", url, file.slice(offset, offset + PART_BYTES), {
          "Upload-Offset": String(offset),
          "Content-Type": "application/offset+octet-stream",
        });
        offset = Number(response.headers.get("Upload-Offset"));
        wait = FIRST_RETRY_MS;
        show(offset, file);
      }
      remember(file, null);
      location.assign(page);
      return;
    } catch (error) {
      if (error instanceof Refused) {
        remember(file, null);
        throw error;
      }
      status.textContent = form.dataset.waiting;
      await new Promise((resolve) => setTimeout(resolve, wait));
      wait = Math.min(2 * wait, MAX_RETRY_MS);
    }
  }
}

form.addEventListener("submit", async (event) => {
  const file = input.files[0];
  if (!file) return; // The server says that it is missing.
  event.preventDefault();
  problem.hidden = true;
  button.disabled = input.disabled = true;
  bar.hidden = false;
  try {
    await upload(file);
  } catch (error) {
    problem.textContent = error.message;
    problem.hidden = false;
    bar.hidden = true;
    status.textContent = "";
  } finally {
    button.disabled = input.disabled = false;
  }
});

// Shown again by the browser's Back button.
addEventListener("pageshow", () => {
  bar.hidden = true;
  status.textContent = "";
});
