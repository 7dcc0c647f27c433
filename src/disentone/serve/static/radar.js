// Query and result facet by facet: a radar, or bars where two facets make none; and their factors.

import { find, make, number, svg, written } from "./elements.js";

const width = 330;
const radius = 88;
const centre = [width / 2, radius + 24];

/** Where a cosine lies on an axis: -1 in the middle, 1 at the rim. */
function place(index, count, cosine) {
  const angle = (2 * Math.PI * index) / count - Math.PI / 2;
  const far = (radius * (Math.max(-1, Math.min(1, cosine)) + 1)) / 2;
  return [centre[0] + far * Math.cos(angle), centre[1] + far * Math.sin(angle)];
}

const polygon = (cosines, kind) =>
  svg("polygon", {
    class: kind,
    points: cosines.map((c, i) => place(i, cosines.length, c).map((v) => v.toFixed(1)).join()).join(" "),
  });

function radar(cosines) {
  const names = Object.keys(cosines);
  const values = Object.values(cosines);
  const all = (cosine) => names.map(() => cosine);
  const lowest = Math.max(...names.map((_, index) => place(index, names.length, 1)[1]));
  const chart = svg("svg", { viewBox: `0 0 ${width} ${Math.ceil(lowest) + 24}`, role: "img" });
  chart.setAttribute("aria-label", `Cosines of query and result: ${spoken(cosines)}`);
  chart.append(polygon(all(0), "ring"), polygon(all(1), "asked"), polygon(values, "found"));
  names.forEach((name, index) => {
    const [x, y] = place(index, names.length, 1);
    chart.append(svg("line", { x1: centre[0], y1: centre[1], x2: x, y2: y, class: "axis" }));
    const [cx, cy] = place(index, names.length, values[index]);
    chart.append(svg("circle", { cx, cy, r: 3.5, class: `fill k${index % 12}` }));
    const side = x - centre[0];
    const anchor = side > 8 ? "start" : side < -8 ? "end" : "middle";
    const [tx, ty] = [x + Math.sign(Math.round(side)) * 5, y + (y < centre[1] - 4 ? -7 : 15)];
    const label = svg("text", { x: tx, y: ty, "text-anchor": anchor });
    label.append(`${name} ${number(values[index])}`);
    chart.append(label);
  });
  return chart;
}

const spoken = (cosines) =>
  Object.entries(cosines).map(([name, value]) => `${name} ${number(value)}`).join(", ");

function bars(cosines) {
  const signed = Object.values(cosines).some((value) => value < -0.005);
  const viewBox = signed ? "-100 0 200 8" : "0 0 100 8";
  const rows = Object.entries(cosines).map(([name, value], index) => {
    const bar = svg("svg", { viewBox, preserveAspectRatio: "none", "aria-hidden": true });
    bar.append(
      svg("rect", { x: Math.min(0, 100 * value), y: 0, width: Math.abs(100 * value), height: 8, class: `fill k${index % 12}` }),
      svg("line", { x1: 0, x2: 0, y1: 0, y2: 8, class: "axis" }),
    );
    return make("div", {}, make("dt", {}, name), make("dd", {}, bar, number(value)));
  });
  return make("dl", { class: "bars" }, ...rows);
}

export function compare(asked, hit, rank) {
  find("compare").hidden = !hit;
  if (!hit) return;
  const drawn = Object.keys(hit.cosines).length > 2 ? radar(hit.cosines) : bars(hit.cosines);
  const note = make("p", { class: "hint" }, "Cosine in each facet: 1 at the rim, where the query itself is; ",
    "0 at the dashed ring; −1 in the middle.");
  find("radar").replaceChildren(drawn, ...(drawn instanceof SVGElement ? [note] : []));
  const rows = Object.entries(hit.factors).map(([name, value]) => {
    const known = asked?.factors?.[name];
    const same = known !== undefined && known !== null && known === value;
    return make("tr", {}, make("th", { scope: "row" }, name),
      ...(asked?.factors ? [make("td", {}, written(known))] : []),
      make("td", { class: same ? "same" : "" }, written(value), ...(same ? [make("span", { class: "unseen" }, " (the same)")] : [])));
  });
  const heads = ["", ...(asked?.factors ? ["query"] : []), `result ${rank}`];
  const head = make("tr", {}, ...heads.map((text) => make(text ? "th" : "td", text ? { scope: "col" } : {}, text)));
  find("facts").replaceChildren(make("thead", {}, head), make("tbody", {}, ...rows));
}
