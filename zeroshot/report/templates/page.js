"use strict";
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const data = JSON.parse(document.getElementById("curves").textContent);
  const generators = Object.keys(data.means);
  const slider = document.getElementById("b");
  const last = Number(slider.max);
  for (const element of document.querySelectorAll(".slider, .scale, .enlarge")) element.hidden = false;

  const place = (svg, b) => {
    const share = svg.dataset.axis === "log" ? Math.log(b) / Math.log(Math.max(last, 2)) : (b - 1) / Math.max(last - 1, 1);
    return Number(svg.dataset.left) + share * (svg.dataset.right - svg.dataset.left);
  };
  const drawn = (svg, x) => {
    const share = (x - svg.dataset.left) / (svg.dataset.right - svg.dataset.left);
    const b = svg.dataset.axis === "log" ? Math.exp(share * Math.log(Math.max(last, 2))) : 1 + share * (last - 1);
    return Math.min(last, Math.max(1, Math.round(b)));
  };
  const height = (svg, score) => {
    const [low, high] = [Number(svg.dataset.low), Number(svg.dataset.high)];
    return Number(svg.dataset.top) + (high - score) / (high - low) * (svg.dataset.bottom - svg.dataset.top);
  };

  // The values after b images: in the table, as a line and dots in the panels, and in a sentence.
  const show = (b) => {
    slider.value = b;
    slider.setAttribute("aria-valuetext", `b = ${b}`);
    document.getElementById("b-shown").textContent = b;
    for (const cell of document.querySelectorAll("#values td")) {
      const mean = data.means[cell.dataset.generator][cell.dataset.k];
      if (!mean) continue;
      const spread = data.spreads[cell.dataset.generator][cell.dataset.k];
      cell.textContent = mean[b - 1].toFixed(4) + (data.seeds > 1 ? ` ±\u00a0${spread[b - 1].toFixed(4)}` : "");
    }
    for (const svg of document.querySelectorAll("svg[data-panel]")) mark(svg, b);
    const best = generators.map((generator) => {
      const [k, mean] = Object.entries(data.means[generator]).reduce((a, c) => (c[1][b - 1] > a[1][b - 1] ? c : a));
      return `${data.names[generator]} is best with k = ${k} (${mean[b - 1].toFixed(4)})`;
    });
    document.getElementById("b-said").textContent = `b = ${b}: ${best.join("; ")}`;
  };

  const mark = (svg, b) => {
    const x = place(svg, b);
    const cursor = svg.querySelector(".cursor");
    cursor.setAttribute("x1", x);
    cursor.setAttribute("x2", x);
    for (const dot of svg.querySelectorAll(".dot")) dot.remove();
    for (const [k, mean] of Object.entries(data.means[generators[svg.dataset.panel]])) {
      if (mean[b - 1] < svg.dataset.low) continue;
      const dot = document.createElementNS(SVG, "circle");
      dot.setAttribute("class", `dot k-${k}`);
      dot.setAttribute("cx", x);
      dot.setAttribute("cy", height(svg, mean[b - 1]));
      dot.setAttribute("r", 3.5);
      svg.append(dot);
    }
  };

  const follow = (event) => {
    const svg = event.target.closest?.("svg[data-panel]");
    if (!svg) return;
    const box = svg.getBoundingClientRect();
    show(drawn(svg, (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width));
  };
  document.addEventListener("pointermove", follow);
  document.addEventListener("pointerdown", follow);
  slider.addEventListener("input", () => show(Number(slider.value)));
  for (const choice of document.querySelectorAll("[name=scale]")) {
    choice.addEventListener("change", () => {
      for (const panels of document.querySelectorAll(".panels[data-scale]")) panels.hidden = panels.dataset.scale !== choice.value;
      show(Number(slider.value));
    });
  }
  show(last);

  // Enlarging: the figure's content again, in a dialog that Escape and its button close.
  const zoom = document.getElementById("zoom");
  const enlarge = (figure) => {
    const button = figure.querySelector(".enlarge");
    document.getElementById("zoom-title").textContent = button.dataset.title;
    const copies = [...figure.children].filter((child) => child !== button).map((child) => child.cloneNode(true));
    for (const copy of copies) {
      for (const element of [copy, ...copy.querySelectorAll("[id]")]) element.removeAttribute("id");
    }
    document.getElementById("zoom-body").replaceChildren(...copies);
    zoom.showModal();
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest(".enlarge");
    const picture = event.target.closest(".zoomable img");
    if (button || (picture && !zoom.contains(picture))) enlarge((button || picture).closest(".zoomable"));
    else if (event.target === zoom) zoom.close();
  });
})();
