"use strict";

const SVG = "http://www.w3.org/2000/svg";
const CHART = { width: 600, height: 170, left: 46, right: 14, top: 12, bottom: 26 };

function svg(name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) {
    element.setAttribute(key, value);
  }
  if (text !== undefined) {
    element.textContent = text;
  }
  return element;
}

/** The chart of p(kept) and p(removed) over the share that is kept, with the random masks. */
class ShareChart {
  constructor(box, shares) {
    this.box = box;
    this.shares = shares;
    this.picture = svg("svg", { class: "chart" });
    box.prepend(this.picture);
    new ResizeObserver(() => this.draw()).observe(box);
  }

  show(method, random, number) {
    Object.assign(this, { method, random, number });
    this.draw();
  }

  x(share) {
    return CHART.left + share * (this.width - CHART.left - CHART.right);
  }

  y(p) {
    return CHART.top + (1 - p) * (CHART.height - CHART.top - CHART.bottom);
  }

  line(values) {
    return values.map((p, k) => `${this.x(this.shares[k])},${this.y(p)}`).join(" ");
  }

  draw() {
    this.width = this.box.clientWidth;
    if (!this.method || this.width < 60) {
      return;
    }
    this.picture.setAttribute("viewBox", `0 0 ${this.width} ${CHART.height}`);
    this.picture.setAttribute("height", CHART.height);
    this.picture.setAttribute("role", "img");
    this.picture.setAttribute("aria-label", this.describe());
    this.picture.replaceChildren(...this.axes(), ...this.curves(), ...this.marker());
  }

  describe() {
    const { kept, removed } = this.method;
    const k = this.number;
    return (
      `Chart over the share kept. At ${Math.round(100 * this.shares[k])} %: ` +
      `p of the kept part ${shortP(kept[k])}, of the removed part ${shortP(removed[k])}.`
    );
  }

  axes() {
    const right = this.width - CHART.right;
    const elements = [];
    for (const p of [0, 0.5, 1]) {
      const y = this.y(p);
      elements.push(svg("line", { x1: CHART.left, x2: right, y1: y, y2: y, class: "grid" }));
      elements.push(svg("text", { x: CHART.left - 6, y: y + 4, "text-anchor": "end" }, `${p}`));
    }
    for (const share of [0, 0.25, 0.5, 0.75, 1]) {
      const text = `${100 * share} %`;
      const anchor = share === 0 ? "start" : share === 1 ? "end" : "middle";
      const y = CHART.height - 6;
      elements.push(svg("text", { x: this.x(share), y, "text-anchor": anchor }, text));
    }
    elements.push(svg("text", { x: 4, y: CHART.top + 4 }, "p"));
    return elements;
  }

  curves() {
    const { kept, removed, ranges } = this.method;
    const elements = [];
    if (this.random.length && this.random[0].length) {
      const low = this.random.map((values) => Math.min(...values));
      const high = this.random.map((values) => Math.max(...values));
      const edge = `${this.line(high)} ${this.line(low).split(" ").reverse().join(" ")}`;
      elements.push(svg("polygon", { points: edge, class: "band" }));
    }
    ranges.forEach((range, k) => range && elements.push(this.bar(this.x(this.shares[k]), range)));
    elements.push(svg("polyline", { points: this.line(removed), class: "removed" }));
    elements.push(svg("polyline", { points: this.line(kept), class: "kept" }));
    return elements;
  }

  /** A bar from the least to the largest p of the random masks of one share. */
  bar(x, range) {
    const [low, high] = range.map((p) => this.y(p));
    const width = 12;
    return svg("rect", { x: x - width / 2, y: high, width, height: low - high, class: "range" });
  }

  marker() {
    const x = this.x(this.shares[this.number]);
    const { kept, removed } = this.method;
    const top = CHART.top;
    const bottom = CHART.height - CHART.bottom;
    return [
      svg("line", { x1: x, x2: x, y1: top, y2: bottom, class: "marker" }),
      svg("circle", { cx: x, cy: this.y(removed[this.number]), r: 4, class: "removed" }),
      svg("circle", { cx: x, cy: this.y(kept[this.number]), r: 5, class: "kept" }),
    ];
  }
}

/** A probability with three decimals and no leading zero, as the verdict has it. */
function shortP(p) {
  return p.toFixed(3).replace(/^0/, "");
}
