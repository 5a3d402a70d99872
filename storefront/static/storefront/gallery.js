/** The thumbnails of a product scroll its photo strip without moving the page. Without this script they are plain links. */

for (const gallery of document.querySelectorAll(".gallery")) {
  const stage = gallery.querySelector(".stage");
  const links = [...gallery.querySelectorAll(".views a")];

  function mark() {
    // In right-to-left layouts scrollLeft is negative.
    const shown = Math.round(Math.abs(stage.scrollLeft) / stage.clientWidth);
    links.forEach((link, index) => (index === shown ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current")));
  }

  links.forEach((link, index) =>
    link.addEventListener("click", (event) => {
      event.preventDefault();
      stage.children[index].scrollIntoView({ block: "nearest", inline: "start" });
    }),
  );
  stage.addEventListener("scroll", mark, { passive: true });
  mark();
}
