// The parts of a long form as tabs, which are known to screen readers, work by arrow keys, and have an address each. A part that
// holds what the address names, what the browser's search finds, or an error, opens. "reveal", sent by an element, opens its part.
document.documentElement.classList.add("with-form-tabs");

document.addEventListener("DOMContentLoaded", () => {
  const list = document.querySelector(".form-tabs");
  if (!list) return;
  const tabs = [...list.querySelectorAll("a")];
  const panels = tabs.map((tab) => document.getElementById(decodeURIComponent(tab.hash.slice(1))));
  const form = list.closest("form");
  let chosen = 0;

  function choose(index) {
    chosen = index;
    tabs.forEach((tab, each) => {
      tab.setAttribute("aria-selected", each === index);
      tab.tabIndex = each === index ? 0 : -1;
    });
    // Text in a hidden part is found by the browser's own search, where the browser knows of that.
    panels.forEach((panel, each) => {
      for (const [name, value] of [["hidden", "until-found"], ["aria-hidden", "true"]]) {
        if (each === index) panel.removeAttribute(name);
        else panel.setAttribute(name, value);
      }
    });
  }

  function chooseAndName(index) {
    choose(index);
    history.replaceState(history.state, "", tabs[index].hash);
  }

  /** Opens the part that an element is in. Returns whether there is one. */
  function reveal(element) {
    const index = panels.findIndex((panel) => panel.contains(element));
    if (index >= 0) choose(index);
    return index >= 0;
  }

  function addressed() {
    return document.getElementById(decodeURIComponent(location.hash.slice(1)));
  }

  function follow() {
    const target = addressed();
    if (!target || !reveal(target) || panels.includes(target)) return;
    target.scrollIntoView({ block: "center" });
    target.focus();
  }

  list.setAttribute("role", "tablist");
  tabs.forEach((tab, index) => {
    tab.id = `${panels[index].id}-tab`;
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", panels[index].id);
    panels[index].setAttribute("role", "tabpanel");
    panels[index].setAttribute("aria-labelledby", tab.id);
    panels[index].addEventListener("beforematch", () => choose(index));
    panels[index].addEventListener("reveal", () => choose(index));
    tab.addEventListener("click", (event) => {
      event.preventDefault();
      chooseAndName(index);
    });
    const errors = panels[index].querySelectorAll(".errorlist, .errors:not(:has(.errorlist))").length;
    if (errors) {
      const count = document.createElement("span");
      count.className = "count";
      count.textContent = errors;
      count.setAttribute("role", "img");
      count.setAttribute("aria-label", list.dataset.errors.replace("%1", errors));
      tab.append(count);
    }
  });
  list.addEventListener("keydown", (event) => {
    const last = tabs.length - 1;
    const forward = getComputedStyle(list).direction === "rtl" ? -1 : 1;
    const next = { ArrowRight: chosen + forward, ArrowLeft: chosen - forward, Home: 0, End: last }[event.key];
    if (event.key === " ") tabs[tabs.indexOf(document.activeElement)]?.click();
    else if (next === undefined) return;
    else {
      chooseAndName((next + tabs.length) % tabs.length);
      tabs[chosen].focus();
    }
    event.preventDefault();
  });
  // After "Save and continue editing" the same part is open.
  form?.addEventListener("submit", () => {
    form.action = location.pathname + location.search + (chosen ? tabs[chosen].hash : "");
  });
  addEventListener("hashchange", follow);

  const wrong = tabs.findIndex((tab) => tab.querySelector(".count"));
  const asked = panels.findIndex((panel) => panel.contains(addressed()));
  // The browser opens the part that the address names, so the address is another one then.
  if (wrong >= 0 && !tabs[asked]?.querySelector(".count")) chooseAndName(wrong);
  else {
    choose(0);
    follow();
  }
  document.documentElement.classList.remove("with-form-tabs");
});
