// Draws every chart of a page from the Vega-Lite spec that stands beside it. Expressions are
// interpreted and not compiled, so that the page may forbid eval.
"use strict";

const options = {
  actions: false,
  ast: true,
  defaultStyle: false,
  renderer: "svg",
  tooltip: { disableDefaultStyle: true },
};

async function draw(figure) {
  const place = figure.querySelector(".drawing");
  try {
    const spec = JSON.parse(figure.querySelector("script").textContent);
    await vegaEmbed(place, spec, options);
    figure.dataset.drawn = "yes";
  } catch (error) {
    place.textContent = "This chart could not be drawn.";
    figure.dataset.drawn = "no";
    console.error(error);
  }
}

Promise.all([...document.querySelectorAll("figure.chart")].map(draw)).then(() => {
  performance.mark("drawn");
  document.documentElement.dataset.drawn = "yes";
});
