/** Sliders beside an element of the widget: they show what shape, colour and pattern counted in its answer, and set its `weights`. */

for (const sliders of document.querySelectorAll("[data-weighs]")) {
  const weighed = () => document.getElementById(sliders.dataset.weighs);
  const inputs = [...sliders.querySelectorAll("input")];
  const show = ({ weights }) => {
    // Vectors without parts have nothing to weigh.
    sliders.disabled = !weights;
    if (weights) for (const input of inputs) input.value = weights[input.name];
  };

  document.addEventListener("similar:load", ({ target, detail }) => target === weighed() && show(detail));
  // The strip may have loaded before this script.
  const { response } = weighed() ?? {};
  if (response) show(response);
  sliders.addEventListener("change", () => {
    // Without any weight there is no order.
    if (inputs.every(({ value }) => Number(value) === 0)) return;
    weighed().setAttribute("weights", inputs.map(({ name, value }) => `${name}:${value}`).join());
  });
}
