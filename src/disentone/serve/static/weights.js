// A slider a facet.

import { find, make, number } from "./elements.js";

export class Weights {
  /** `changed` is called whenever a person moves a slider. */
  constructor(facets, changed) {
    this.sliders = new Map();
    this.chosen = false; // whether a person has set them
    const moved = () => {
      this.chosen = true;
      changed();
    };
    facets.forEach((facet, index) => find("weights").append(this.row(facet, index, moved)));
    find("equal").addEventListener("click", () => {
      this.chosen = false;
      this.show(Object.fromEntries(facets.map((facet) => [facet, 1])));
      changed();
    });
    this.show(Object.fromEntries(facets.map((facet) => [facet, 1])));
  }

  row(facet, index, moved) {
    const id = `weight-${index}`;
    const output = make("output", { htmlFor: id });
    const slider = make("input", {
      id, type: "range", min: -1, max: 1, step: 0.05, value: 1,
      oninput: () => {
        if (Math.abs(slider.valueAsNumber) < 0.076) slider.value = 0; // zero is easy to hit
        this.label(facet);
        moved();
      },
    });
    const only = make("button", {
      type: "button", textContent: "only", ariaLabel: `Only ${facet}`,
      onclick: () => {
        this.show(Object.fromEntries([...this.sliders.keys()].map((f) => [f, f === facet ? 1 : 0])));
        moved();
      },
    });
    this.sliders.set(facet, { slider, output });
    const label = make("label", { htmlFor: id }, make("span", { class: `dot k${index % 12}` }), facet);
    return make("div", { class: "weight" }, label, output, only, slider);
  }

  label(facet) {
    const { slider, output } = this.sliders.get(facet);
    const value = slider.valueAsNumber;
    output.textContent = number(value);
    slider.setAttribute(
      "aria-valuetext", `${number(value)}: ${value > 0 ? "like" : value < 0 ? "unlike" : "ignore"}`,
    );
  }

  show(weights) {
    for (const [facet, { slider }] of this.sliders) {
      slider.value = Math.max(-1, Math.min(1, weights[facet] ?? 0));
      this.label(facet);
    }
  }

  get values() {
    const all = [...this.sliders].map(([facet, { slider }]) => [facet, slider.valueAsNumber]);
    return Object.fromEntries(all.filter(([, value]) => value !== 0));
  }
}
