// Filters on factors, put together as one expression for the server, which checks it.

import { find, make, written } from "./elements.js";

const name = (factor) => `\`${factor.name}\``;
const text = (value) => `'${value.replaceAll("'", "''")}'`;

export class Filters {
  constructor(factors, changed) {
    this.sections = new Map(); // name -> { details, inputs, apply }
    this.parts = new Map(); // name -> expression, "" for any
    this.changed = changed;
    this.build(factors);
    find("unfilter").addEventListener("click", () => {
      for (const { inputs, apply } of this.sections.values()) {
        for (const input of inputs) {
          if (input.type === "checkbox") input.checked = false;
          else input.value = "";
        }
        apply();
      }
      this.refresh();
    });
  }

  build(factors) {
    this.factors = JSON.stringify(factors);
    const box = find("filters");
    box.replaceChildren();
    this.sections.clear();
    for (const factor of factors) {
      if (factor.kind === "classes" && factor.classes.length > 1) box.append(this.classes(factor));
      if (factor.kind === "number" && factor.low < factor.high) box.append(this.range(factor));
    }
    if (!box.children.length) box.append(make("p", { class: "hint" }, "There are no factors to filter by."));
    else box.append(this.expression(factors));
  }

  /** Offer the factors that there are now; what was chosen stays chosen. */
  update(factors) {
    if (JSON.stringify(factors) === this.factors) return;
    const before = new Map(this.sections);
    this.build(factors);
    for (const [name, { details, inputs, apply }] of this.sections) {
      const old = before.get(name);
      if (!old) continue;
      details.open = old.details.open;
      const on = new Set(old.inputs.filter((input) => input.checked).map((input) => input.value));
      inputs.forEach((input, index) => {
        if (input.type === "checkbox") input.checked = on.has(input.value);
        else input.value = old.inputs[index].value;
      });
      apply();
    }
  }

  get where() {
    const parts = [...this.parts.values()].filter(Boolean);
    return parts.length ? parts.map((part) => `(${part})`).join(" and ") : null;
  }

  refresh() {
    find("unfilter").hidden = !this.where;
    this.changed();
  }

  /** A filter that opens; `read()` gives its expression and what it says of it. */
  section(name, inputs, content, read) {
    const state = make("span", { class: "state" }, "any");
    const summary = make("summary", {}, make("span", {}, name || "expression"), " ", state);
    const details = make("details", { class: "filter" }, summary, content);
    const apply = () => {
      const [part, said] = read();
      this.parts.set(name, part);
      state.textContent = said;
    };
    content.addEventListener("change", () => { apply(); this.refresh(); });
    this.sections.set(name, { details, inputs, apply });
    return details;
  }

  classes(factor) {
    const boxes = factor.classes.map((value) => make("input", { type: "checkbox", value }));
    const list = make(
      "fieldset", {}, make("legend", { class: "unseen" }, factor.name),
      ...boxes.map((box) => make("label", { class: "check" }, box, ` ${box.value}`)),
    );
    return this.section(factor.name, boxes, list, () => {
      const on = boxes.filter((box) => box.checked).map((box) => box.value);
      const said = on.length > 2 ? `${on.length} of ${boxes.length}` : on.join(", ") || "any";
      return [on.length ? `${name(factor)} in (${on.map(text).join(", ")})` : "", said];
    });
  }

  range(factor) {
    const ends = ["from", "to"].map((word, index) => make("input", {
      type: "number", step: "any", ariaLabel: `${factor.name} ${word}`,
      placeholder: written(index ? factor.high : factor.low),
    }));
    const [low, high] = ends;
    return this.section(factor.name, ends, make("p", { class: "range" }, low, " to ", high), () => {
      const parts = [];
      if (low.value !== "") parts.push(`${name(factor)} >= ${low.valueAsNumber}`);
      if (high.value !== "") parts.push(`${name(factor)} <= ${high.valueAsNumber}`);
      return [parts.join(" and "), parts.length ? `${low.value || "…"} to ${high.value || "…"}` : "any"];
    });
  }

  expression(factors) {
    const example = factors.find((factor) => factor.kind === "number")?.name ?? factors[0].name;
    const input = make("input", {
      type: "text", spellcheck: false, autocomplete: "off", maxLength: 1500,
      placeholder: `${example} > 60 or …`, ariaLabel: "Filter expression",
    });
    return this.section("", [input], make("p", {}, input), () => [input.value.trim(), "any"]);
  }
}
