// Gives each part of the admin that scrolls a name of its own, before SimpleBar calls all of them "scrollable content".
document.addEventListener("DOMContentLoaded", () => {
  const main = document.querySelector("main");
  if (!main) return;
  const counts = {};
  for (const part of document.querySelectorAll("[data-simplebar]")) {
    const name = (main.contains(part) ? main.dataset.scrolls : main.dataset.navigation) ?? "";
    counts[name] = (counts[name] ?? 0) + 1;
    part.dataset.simplebarAriaLabel = counts[name] > 1 ? `${name} ${counts[name]}` : name;
  }
});
