// The list of results: rows are kept while they are listed, so that a slider only moves them.

import * as api from "./api.js";
import { find, make, number, stamp, svg, written } from "./elements.js";
import * as sound from "./sound.js";

const KEPT = 150; // rows that are kept beside those listed
const REST = 120; // milliseconds without a change

export class Results {
  /** `acts` has from(hit), add(hit), away(hit) and current(hit, rank). */
  constructor(facets, acts) {
    this.acts = acts;
    this.blank = stamp("result"); // copied for every row, faster than making it
    this.blank.querySelector(".split").append(...facets.map(shareOf));
    this.rows = new Map(); // id -> row
    this.listed = [];
    this.current = null;
    this.list = find("list");
    this.seen = new IntersectionObserver((entries) => {
      for (const entry of entries) entry.target.row.visible = entry.isIntersecting;
      this.rest();
    }, { rootMargin: "300px" });
  }

  /** Show hits in order, each with its cosine in every facet. */
  show(hits, weights) {
    const focused = document.activeElement;
    const signed = hits.some((hit) => Object.values(hit.cosines).some((cosine) => cosine < -0.005));
    this.list.classList.toggle("signed", signed);
    this.listed = hits.map((hit, index) => this.fill(this.row(hit), hit, index + 1, { weights, signed }));
    this.listed.forEach((row, index) => {
      const there = this.list.children[index];
      if (there !== row.element) this.list.insertBefore(row.element, there ?? null);
    });
    while (this.list.children.length > hits.length) this.list.lastElementChild.remove();
    if (focused?.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true });
    this.tidy();
    this.rest();
    const still = this.listed.includes(this.current) ? this.current : this.listed[0] ?? null;
    this.choose(still);
  }

  row(hit) {
    const known = this.rows.get(hit.id);
    if (known) return known;
    const element = this.blank.cloneNode(true);
    const row = { element, hit, wave: null, asked: false };
    const part = (name) => element.querySelector(`.${name}`);
    row.parts = Object.fromEntries(["play", "rank", "name", "wave", "factors", "number", "split"].map((n) => [n, part(n)]));
    row.parts.name.textContent = hit.name;
    row.parts.name.title = hit.id;
    row.parts.play.setAttribute("aria-label", `Play ${hit.name}`);
    row.parts.factors.replaceChildren(...facts(hit.factors));
    row.parts.play.addEventListener("click", () => { this.choose(row); this.play(row); });
    for (const act of ["from", "add", "away"]) {
      const button = part(act);
      button.setAttribute("aria-label", `${button.textContent}: ${hit.name}`);
      button.addEventListener("click", () => this.acts[act](row.hit));
    }
    element.addEventListener("pointerdown", () => this.choose(row));
    element.addEventListener("focusin", () => this.choose(row));
    element.addEventListener("unplayable", () => this.silent(row));
    row.parts.wave.row = row;
    this.seen.observe(row.parts.wave);
    this.hover(row);
    this.rows.set(hit.id, row);
    return row;
  }

  fill(row, hit, rank, { weights, signed }) {
    row.hit = hit;
    row.rank = rank;
    row.element.dataset.id = hit.id;
    row.parts.rank.textContent = rank;
    row.parts.number.textContent = number(hit.score);
    Object.entries(hit.cosines).forEach(([facet, cosine], index) => {
      const [bar, text] = row.parts.split.children[index].lastElementChild.childNodes;
      const width = Math.abs(cosine);
      bar.setAttribute("viewBox", signed ? "-1 0 2 1" : "0 0 1 1");
      bar.firstElementChild.setAttribute("x", cosine < 0 ? -width : 0);
      bar.firstElementChild.setAttribute("width", width);
      text.textContent = number(cosine);
      row.parts.split.children[index].classList.toggle("none", !weights[facet]);
    });
    return row;
  }

  /** Draw waveforms when the list has come to rest: while a slider moves, the search comes first. */
  rest() {
    clearTimeout(this.resting);
    this.resting = setTimeout(async () => {
      const now = this.resting;
      for (const row of this.listed) {
        if (now !== this.resting) return;
        if (row.visible) await this.draw(row);
      }
    }, REST);
  }

  async draw(row) {
    if (row.asked) return;
    row.asked = true;
    this.seen.unobserve(row.parts.wave);
    try {
      const outline = await api.peaks(row.hit.id);
      if (!this.rows.has(row.hit.id)) return;
      row.wave = sound.waveform(row.parts.wave, api.audioOf({ item: row.hit.id }), outline);
      sound.button(row.parts.play, row.hit.name, row.wave);
      row.wave.on("interaction", () => { row.byHover = false; row.wave.play(); });
    } catch (error) {
      this.silent(row, error.message);
    }
  }

  silent(row, why = "This sound cannot be played.") {
    row.parts.play.disabled = true;
    row.parts.wave.replaceChildren(make("p", { class: "hint" }, why));
  }

  hover(row) {
    let timer = 0;
    row.parts.wave.addEventListener("pointerenter", (event) => {
      if (event.pointerType !== "mouse" || !find("hover").checked || event.buttons) return;
      timer = setTimeout(() => {
        if (!row.wave || row.wave.isPlaying()) return;
        row.byHover = true;
        row.wave.setTime(0);
        row.wave.play().catch(() => { row.byHover = false; }); // before the first click none may
      }, 200);
    });
    row.parts.wave.addEventListener("pointerleave", () => {
      clearTimeout(timer);
      if (row.byHover) row.wave?.pause();
      row.byHover = false;
    });
  }

  async play(row = this.current) {
    if (!row) return;
    await this.draw(row);
    row.byHover = false;
    await row.wave?.playPause();
  }

  /** Make a result the one that keys and the comparison are about. */
  choose(row) {
    if (this.current !== row) this.current?.element.removeAttribute("aria-current");
    this.current = row;
    row?.element.setAttribute("aria-current", "true");
    this.acts.current(row?.hit ?? null, row?.rank);
  }

  step(by) {
    const place = this.listed.indexOf(this.current) + by;
    const row = this.listed[Math.max(0, Math.min(this.listed.length - 1, place))];
    if (!row) return;
    this.choose(row);
    row.parts.play.focus({ preventScroll: true });
    row.element.scrollIntoView({ block: "nearest" });
  }

  pick(rank) {
    const row = this.listed[rank - 1];
    if (!row) return;
    this.choose(row);
    row.element.scrollIntoView({ block: "nearest" });
    this.play(row);
  }

  byId(id) {
    return this.listed.find((row) => row.hit.id === id);
  }

  /** Let go of rows that have not been listed for long. */
  tidy() {
    const spare = [...this.rows.values()].filter((row) => !row.element.isConnected);
    for (const row of spare.slice(0, Math.max(0, spare.length - KEPT))) {
      this.rows.delete(row.hit.id);
      row.wave?.destroy();
    }
  }
}

function shareOf(facet, index) {
  const bar = svg("svg", { preserveAspectRatio: "none", "aria-hidden": true });
  bar.append(svg("rect", { y: 0, height: 1, class: `fill k${index % 12}` }));
  return make("div", {}, make("dt", {}, facet), make("dd", {}, bar, ""));
}

function facts(factors) {
  const known = Object.entries(factors).filter(([, value]) => value !== null && value !== "");
  const shown = known.slice(0, 5).map(([name, value]) =>
    make("span", { class: "fact" }, make("span", { class: "of" }, `${name} `), written(value)));
  return shown.flatMap((fact, index) => (index ? [" ", fact] : [fact]));
}
