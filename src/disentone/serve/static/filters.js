// Filters on factors, put together as one expression for the server, which checks it.

import { find, make, written } from "./elements.js";

const name = (factor) => `\`${factor.name}\``;
const text = (value) => `'${value.replaceAll("'", "''")}'`;

export class Filters {
  constructor(factors, changed) {
    this.parts = new Map(); // factor -> expression, "" for any
    this.resets = [];
    this.changed = changed;
    const box = find("filters");
    for (const factor of factors) {
      if (factor.kind === "classes" && factor.classes.length > 1) box.append(this.classes(factor));
      if (factor.kind === "number" && factor.low < factor.high) box.append(this.range(factor));
    }
    if (!box.children.length) box.append(make("p", { class: "hint" }, "There are no factors to filter by."));
    else box.append(this.expression(factors));
    find("unfilter").addEventListener("click", () => {
      for (const reset of this.resets) reset();
      this.parts.clear();
      this.update();
    });
  }

  get where() {
    const parts = [...this.parts.values()].filter(Boolean);
    return parts.length ? parts.map((part) => `(${part})`).join(" and ") : null;
  }

  update() {
    find("unfilter").hidden = !this.where;
    this.changed();
  }

  section(factor, ...content) {
    const state = make("span", { class: "state" }, "any");
    const summary = make("summary", {}, make("span", {}, factor.name), " ", state);
    const details = make("details", { class: "filter" }, summary, ...content);
    this.resets.push(() => { state.textContent = "any"; });
    return { details, state };
  }

  classes(factor) {
    const boxes = factor.classes.map((value) => make("input", { type: "checkbox", value }));
    const list = make(
      "fieldset", {}, make("legend", { class: "unseen" }, factor.name),
      ...boxes.map((box) => make("label", { class: "check" }, box, ` ${box.value}`)),
    );
    const { details, state } = this.section(factor, list);
    list.addEventListener("change", () => {
      const on = boxes.filter((box) => box.checked).map((box) => box.value);
      state.textContent = on.length > 2 ? `${on.length} of ${boxes.length}` : on.join(", ") || "any";
      this.parts.set(factor.name, on.length ? `${name(factor)} in (${on.map(text).join(", ")})` : "");
      this.update();
    });
    this.resets.push(() => boxes.forEach((box) => { box.checked = false; }));
    return details;
  }

  range(factor) {
    const ends = ["from", "to"].map((word, index) => make("input", {
      type: "number", step: "any", ariaLabel: `${factor.name} ${word}`,
      placeholder: written(index ? factor.high : factor.low),
    }));
    const [low, high] = ends;
    const row = make("p", { class: "range" }, low, " to ", high);
    const { details, state } = this.section(factor, row);
    row.addEventListener("change", () => {
      const parts = [];
      if (low.value !== "") parts.push(`${name(factor)} >= ${low.valueAsNumber}`);
      if (high.value !== "") parts.push(`${name(factor)} <= ${high.valueAsNumber}`);
      state.textContent = parts.length ? `${low.value || "…"} to ${high.value || "…"}` : "any";
      this.parts.set(factor.name, parts.join(" and "));
      this.update();
    });
    this.resets.push(() => ends.forEach((end) => { end.value = ""; }));
    return details;
  }

  expression(factors) {
    const example = factors.find((factor) => factor.kind === "number")?.name ?? factors[0].name;
    const input = make("input", {
      type: "text", spellcheck: false, autocomplete: "off", maxLength: 1500,
      placeholder: `${example} > 60 or …`, ariaLabel: "Filter expression",
    });
    const { details } = this.section({ name: "expression" }, make("p", {}, input));
    input.addEventListener("change", () => {
      this.parts.set("", input.value.trim());
      this.update();
    });
    this.resets.push(() => { input.value = ""; });
    return details;
  }
}
