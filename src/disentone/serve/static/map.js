// The collection on a canvas, one map a facet: zoom, pan, hear a point, select a group.

import * as api from "./api.js";
import { find, make, written } from "./elements.js";

const EXTENT = 10000; // of the server's places
const STEPS = 12; // colours of a scale
const MANY = 12; // classes with a colour of their own

export class SoundMap {
  /** `acts` has play(id) and query(items). */
  constructor(facets, factors, acts) {
    this.acts = acts;
    this.canvas = find("map");
    this.context = this.canvas.getContext("2d");
    this.ground = document.createElement("canvas"); // the points, drawn when they move
    this.view = { x: 0.5, y: 0.5, zoom: 1 };
    this.places = new Map(); // facet -> layout
    this.marked = { query: [], results: [], playing: null };
    find("map-facet").append(...facets.map((facet) => new Option(facet)));
    this.offer(factors);
    find("map-facet").addEventListener("change", () => this.facet(find("map-facet").value));
    find("map-factor").addEventListener("change", () => this.colour());
    document.documentElement.addEventListener("themechange", () => this.colour());
    this.buttons();
    this.pointer();
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.resize()).observe(this.canvas);
  }

  offer(factors) {
    const before = this.factors && find("map-factor").value;
    this.factors = new Map(factors.map((factor) => [factor.name, factor]));
    const coloured = factors.filter((factor) => factor.kind !== "text");
    const first = (coloured.find((factor) => distinct(factor)) ?? coloured[0])?.name ?? "";
    find("map-factor").replaceChildren(...coloured.map((factor) => new Option(factor.name)), new Option("nothing", ""));
    find("map-factor").value = before && this.factors.has(before) ? before : first;
  }

  /** Take the points that there are now, with their factors. */
  async load(factors) {
    const points = await api.points();
    this.places.clear();
    this.offer(factors);
    this.points = points;
    this.number = new Map(this.points.ids.map((id, index) => [id, index]));
    await this.facet(find("map-facet").value);
  }

  async facet(name) {
    if (!this.places.has(name)) {
      find("map-box").setAttribute("aria-busy", "true");
      find("map-wait").hidden = false; // the first time, it has to be laid out
      try {
        this.places.set(name, await api.layout(name));
      } finally {
        find("map-box").removeAttribute("aria-busy");
        find("map-wait").hidden = true;
      }
    }
    if (find("map-facet").value !== name) return;
    const { x, y } = this.places.get(name);
    if (x.length !== this.points.ids.length) return this.load([...this.factors.values()]); // there are others by now
    this.x = Float32Array.from(x, (value) => value / EXTENT);
    this.y = Float32Array.from(y, (value) => 1 - value / EXTENT);
    this.canvas.setAttribute("aria-label", `Map of the facet ${name}: ${x.length} sounds, similar ones together`);
    this.fit();
    return this.colour();
  }

  // --- colours ---

  /** Group the points by colour, so that each is set once a frame. */
  colour() {
    if (!this.points) return;
    const style = getComputedStyle(document.documentElement);
    const css = (name) => style.getPropertyValue(`--${name}`).trim();
    this.ink = { line: css("ink"), page: css("card"), accent: css("accent"), second: css("second") };
    const factor = this.factors.get(find("map-factor").value);
    const values = factor && this.points.factors[factor.name];
    const groups = new Map();
    const put = (colour, index) => {
      if (!groups.has(colour)) groups.set(colour, []);
      groups.get(colour).push(index);
    };
    const of = factor ? scale(factor) : () => "wave";
    for (let index = 0; index < this.x.length; index += 1) {
      const value = values?.[index];
      put(value === null || value === undefined ? "unknown" : of(value), index);
    }
    this.groups = [...groups].map(([name, members]) => [css(name), members]);
    find("legend").replaceChildren(...legend(factor));
    this.draw();
  }

  mark(marked) {
    Object.assign(this.marked, marked);
    this.draw(false);
  }

  // --- drawing ---

  resize() {
    const ratio = devicePixelRatio || 1;
    this.canvas.width = Math.round(this.canvas.clientWidth * ratio);
    this.canvas.height = Math.round(this.canvas.clientHeight * ratio);
    this.draw();
  }

  get side() { return Math.min(this.canvas.width, this.canvas.height) * 0.94 * this.view.zoom; }
  toX(index) { return (this.x[index] - this.view.x) * this.side + this.canvas.width / 2; }
  toY(index) { return (this.y[index] - this.view.y) * this.side + this.canvas.height / 2; }

  /** Draw in the next frame: the points only where they moved, the marks on them always. */
  draw(moved = true) {
    this.moved ||= moved;
    if (this.waiting || !this.groups) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      if (this.moved) this.paintPoints();
      this.moved = false;
      this.paint();
    });
  }

  get dot() {
    const size = this.x.length > 4000 ? 2.2 : this.x.length > 800 ? 3.2 : 4.4;
    return size * (devicePixelRatio || 1) * Math.min(2, this.view.zoom ** 0.4);
  }

  paintPoints() {
    const { ground, dot } = this;
    [ground.width, ground.height] = [this.canvas.width, this.canvas.height]; // clears it, too
    const pen = ground.getContext("2d");
    pen.globalAlpha = 0.85;
    for (const [colour, members] of this.groups) {
      pen.fillStyle = colour;
      pen.beginPath();
      for (const index of members) {
        const [x, y] = [this.toX(index), this.toY(index)];
        if (x < -dot || y < -dot || x > ground.width + dot || y > ground.height + dot) continue;
        if (dot < 4) pen.rect(x - dot / 2, y - dot / 2, dot, dot);
        else { pen.moveTo(x + dot / 2, y); pen.arc(x, y, dot / 2, 0, 7); }
      }
      pen.fill();
    }
  }

  paint() {
    const ratio = devicePixelRatio || 1;
    const { dot, ink, marked } = this;
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    if (this.ground.width && this.ground.height) this.context.drawImage(this.ground, 0, 0);
    this.ring(marked.results, dot / 2 + 2.5 * ratio, ink.line, 1.2 * ratio);
    this.ring(marked.query, dot / 2 + 5 * ratio, ink.second, (marked.query.length > 3 ? 1.5 : 3) * ratio);
    this.ring([marked.playing, this.hovered].filter(Boolean), dot / 2 + 3 * ratio, ink.accent, 3 * ratio);
    if (this.box) this.paintBox(ratio);
  }

  ring(ids, radius, colour, width) {
    const pen = this.context;
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    for (const id of ids) {
      const index = this.number.get(id);
      if (index === undefined) continue;
      pen.beginPath();
      pen.arc(this.toX(index), this.toY(index), radius, 0, 7);
      pen.stroke();
    }
  }

  paintBox(ratio) {
    const [x0, y0, x1, y1] = this.box;
    this.context.strokeStyle = this.ink.accent;
    this.context.lineWidth = 1.5 * ratio;
    this.context.setLineDash([5 * ratio, 4 * ratio]);
    this.context.strokeRect(x0, y0, x1 - x0, y1 - y0);
    this.context.setLineDash([]);
  }

  // --- moving ---

  fit() {
    this.view = { x: 0.5, y: 0.5, zoom: 1 };
    this.draw();
  }

  zoom(factor, x = this.canvas.width / 2, y = this.canvas.height / 2) {
    const before = this.side;
    this.view.zoom = Math.max(0.5, Math.min(60, this.view.zoom * factor));
    this.view.x += (x - this.canvas.width / 2) * (1 / before - 1 / this.side);
    this.view.y += (y - this.canvas.height / 2) * (1 / before - 1 / this.side);
    this.draw();
  }

  pan(dx, dy) {
    this.view.x -= dx / this.side;
    this.view.y -= dy / this.side;
    this.draw();
  }

  buttons() {
    find("zoom-in").addEventListener("click", () => this.zoom(1.5));
    find("zoom-out").addEventListener("click", () => this.zoom(1 / 1.5));
    find("zoom-fit").addEventListener("click", () => this.fit());
    find("select").addEventListener("click", () => this.selecting(find("select").ariaPressed !== "true"));
  }

  selecting(on) {
    find("select").ariaPressed = String(on);
    this.canvas.classList.toggle("selecting", on);
  }

  key(event) {
    const step = 40 * (devicePixelRatio || 1);
    const moves = {
      ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step],
    };
    if (moves[event.key]) this.pan(...moves[event.key]);
    else if (event.key === "+" || event.key === "=") this.zoom(1.3);
    else if (event.key === "-") this.zoom(1 / 1.3);
    else if (event.key === "0") this.fit();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // --- pointing ---

  pointer() {
    const { canvas } = this;
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      const ratio = canvas.width / box.width;
      return [(event.clientX - box.left) * ratio, (event.clientY - box.top) * ratio];
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (!this.points || event.button) return;
      canvas.setPointerCapture(event.pointerId);
      const selects = event.shiftKey || find("select").ariaPressed === "true";
      this.drag = { from: at(event), last: at(event), selects, moved: false };
    });
    canvas.addEventListener("pointermove", (event) => {
      const [x, y] = at(event);
      if (!this.drag) return this.hover(x, y);
      const { from, last, selects } = this.drag;
      this.drag.moved ||= Math.hypot(x - from[0], y - from[1]) > 5;
      this.drag.last = [x, y];
      if (!this.drag.moved) return undefined;
      if (!selects) return this.pan(x - last[0], y - last[1]);
      this.box = [...from, x, y];
      return this.draw(false);
    });
    canvas.addEventListener("pointerup", (event) => this.drop(at(event)));
    canvas.addEventListener("pointercancel", () => { this.drag = this.box = null; this.draw(); });
    canvas.addEventListener("pointerleave", () => this.hover(NaN, NaN));
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / 300), ...at(event));
    }, { passive: false });
  }

  drop([x, y]) {
    const { drag, box } = this;
    this.drag = this.box = null;
    if (!drag) return;
    if (!drag.moved) {
      const id = this.nearest(x, y, 12);
      if (id) this.acts.play(id);
    } else if (box) {
      this.selecting(false);
      const inside = this.inside(box);
      if (inside.length) this.acts.query(inside);
    }
    this.draw(false);
  }

  nearest(x, y, reach) {
    let [best, least] = [-1, (reach * (devicePixelRatio || 1)) ** 2];
    for (let index = 0; index < (this.x?.length ?? 0); index += 1) {
      const far = (this.toX(index) - x) ** 2 + (this.toY(index) - y) ** 2;
      if (far < least) [best, least] = [index, far];
    }
    return best < 0 ? null : this.points.ids[best];
  }

  inside([x0, y0, x1, y1]) {
    const [left, right] = [Math.min(x0, x1), Math.max(x0, x1)];
    const [top, bottom] = [Math.min(y0, y1), Math.max(y0, y1)];
    return this.points.ids.filter((_, index) => {
      const [x, y] = [this.toX(index), this.toY(index)];
      return x >= left && x <= right && y >= top && y <= bottom;
    }).map((id) => ({ id, name: this.nameOf(id) }));
  }

  hover(x, y) {
    const id = this.nearest(x, y, 8);
    if (id === this.hovered) return;
    this.hovered = id;
    this.canvas.classList.toggle("pointing", Boolean(id));
    const tip = find("map-tip");
    tip.hidden = !id;
    if (id) {
      const factor = this.factors.get(find("map-factor").value);
      tip.textContent = [this.nameOf(id), factor && this.valueOf(factor, id)].filter(Boolean).join(" · ");
    }
    this.draw(false);
  }

  nameOf(id) { return this.points.names[this.number.get(id)]; }

  valueOf(factor, id) {
    const value = this.points.factors[factor.name]?.[this.number.get(id)];
    return factor.kind === "classes" ? (factor.classes[value] ?? "unknown") : written(value);
  }
}

/** Whether each class has a colour of its own. */
const distinct = (factor) => factor.kind === "classes" && factor.classes.length <= MANY;

/** Name of the colour of a factor's value. */
function scale(factor) {
  if (distinct(factor)) return (value) => `k${value}`;
  const [low, high] = factor.kind === "classes" ? [0, factor.classes.length - 1] : [factor.low, factor.high];
  return (value) => `v${Math.min(STEPS - 1, Math.floor((STEPS * (value - low)) / (high - low || 1)))}`;
}

function legend(factor) {
  if (!factor) return [];
  if (distinct(factor)) {
    return factor.classes.map((name, index) => make("span", { class: "key" }, make("span", { class: `dot k${index}` }), name));
  }
  const ends = factor.kind === "classes"
    ? [factor.classes[0], factor.classes.at(-1)] : [written(factor.low), written(factor.high)];
  const steps = Array.from({ length: STEPS }, (_, step) => make("span", { class: `v${step}` }));
  return [make("span", { class: "key" }, ends[0], make("span", { class: "ramp" }, ...steps), ends[1])];
}
