// The query: sounds dropped, chosen, recorded, or picked from the collection.

import * as api from "./api.js";
import { find, make, stamp } from "./elements.js";
import * as sound from "./sound.js";
import Regions from "./vendor/wavesurfer-regions.esm.js";

const MOST = 32; // examples of a query: as many of a larger group are taken
const MANY = 6; // examples that are shown with a waveform
const LONGEST = 60_000; // milliseconds of a recording

export class Query {
  /** `changed(kind)` is called with "new", "more" or "part" when something else is looked for. */
  constructor(about, changed) {
    this.about = about;
    this.changed = changed;
    this.like = [];
    this.away = [];
    this.tags = new Map(); // part -> its element
    this.examples(about.examples);
    this.receive();
    find("clear").addEventListener("click", () => { this.set([]); find("choose").focus(); });
  }

  get asked() { return this.like.length > 0; }

  /** The query as the server takes it. */
  get wanted() {
    const plain = ({ item, upload, start, end }) => ({ item, upload, start, end });
    return { examples: this.like.map(plain), away: this.away.map(plain) };
  }

  get items() { return this.like.map((part) => part.item).filter(Boolean); }

  /** The metadata of the query, where it is a single item. */
  get known() { return this.like.length === 1 ? this.like[0] : null; }

  // --- changing ---

  set(like) {
    this.like = like;
    this.away = [];
    this.show();
    this.changed("new");
  }

  from(item) { this.set([partOf(item)]); }

  /** Make a group of items the query: so many of them, evenly taken. */
  group(items) {
    const count = Math.min(MOST, items.length);
    const place = (n) => Math.floor(((n + 0.5) * items.length) / count);
    this.set(Array.from({ length: count }, (_, n) => partOf(items[place(n)])));
  }

  add(item, side) {
    const other = side === "like" ? "away" : "like";
    this[other] = this[other].filter((part) => part.item !== item.id);
    if (!this[side].some((part) => part.item === item.id)) this[side].push(partOf(item));
    if (!this.like.length) this.away = [];
    this.show();
    this.changed("more");
  }

  remove(part) {
    this.like = this.like.filter((other) => other !== part);
    this.away = this.asked ? this.away.filter((other) => other !== part) : [];
    this.show();
    find(this.asked ? "clear" : "choose").focus();
    this.changed(this.asked ? "more" : "new");
  }

  // --- showing ---

  show() {
    for (const id of ["begin", "drop"]) find(id).classList.toggle("small", this.asked);
    find("begin").hidden = this.asked || !this.about.examples.length;
    find("asked").hidden = !this.asked;
    find("query-title").textContent = this.asked ? "Sounds like" : "What are you looking for?";
    const parts = [...this.like, ...this.away];
    find("parts").classList.toggle("many", parts.length > MANY);
    for (const [part, { wave }] of this.tags) {
      if (parts.includes(part)) continue;
      wave?.destroy();
      this.tags.delete(part);
    }
    for (const part of parts.filter((one) => !this.tags.has(one))) {
      this.tags.set(part, this.tag(part));
      this.draw(part, this.tags.get(part));
    }
    find("parts").replaceChildren(...parts.map((part) => {
      const { element, kind } = this.tags.get(part);
      element.classList.toggle("large", parts.length === 1);
      kind.textContent = this.away.includes(part) ? "unlike " : "";
      return element;
    }));
    find("part-hint").hidden = parts.length !== 1 || !this.about.uploads;
  }

  tag(part) {
    const element = stamp("part");
    const tag = { element, kind: make("span", { class: "kind" }), wave: null };
    const remove = element.querySelector(".remove");
    element.querySelector(".name").append(tag.kind, part.name);
    element.querySelector(".name").title = part.name;
    element.querySelector(".play").setAttribute("aria-label", `Play ${part.name}`);
    remove.setAttribute("aria-label", `Remove ${part.name}`);
    remove.addEventListener("click", () => this.remove(part));
    return tag;
  }

  async draw(part, tag) {
    const [box, play] = ["wave", "play"].map((name) => tag.element.querySelector(`.${name}`));
    if (this.like.length + this.away.length > MANY) {
      sound.bareButton(play, part.name, api.audioOf(part));
      return;
    }
    try {
      const outline = part.peaks ? part : await api.peaks(part.item);
      if (this.tags.get(part) !== tag) return;
      const regions = this.about.uploads ? [Regions.create()] : [];
      tag.wave = sound.waveform(box, api.audioOf(part), outline, { height: 40, barWidth: 3, plugins: regions });
      sound.button(play, part.name, tag.wave);
      play.addEventListener("click", () => {
        if (tag.wave.isPlaying()) tag.wave.pause();
        else tag.wave.play(part.start, part.end);
      });
      if (regions.length) this.selectable(part, regions[0]);
    } catch (error) {
      play.disabled = true;
      box.replaceChildren(make("p", { class: "hint" }, error.message));
    }
  }

  /** Dragging over the waveform searches for that part; a click outside, for the whole again. */
  selectable(part, regions) {
    const color = getComputedStyle(document.documentElement).getPropertyValue("--part").trim();
    regions.enableDragSelection({ color, minLength: 0.1 });
    const search = (region) => {
      for (const other of regions.getRegions()) if (other !== region) other.remove();
      [part.start, part.end] = region ? [region.start, region.end] : [undefined, undefined];
      this.changed("part");
    };
    regions.on("region-created", search);
    regions.on("region-updated", search);
    regions.on("region-double-clicked", (region, event) => {
      event.stopPropagation();
      region.remove();
      search(null);
    });
  }

  /** Take what is known of the collection now; examples are replaced by more, or by the last. */
  update(about, ended) {
    const more = about.examples.length > this.about.examples.length;
    this.about = about;
    if (more || ended) this.examples(about.examples);
  }

  examples(items) {
    find("begin").hidden = this.asked || !items.length;
    find("examples").replaceChildren(...items.map((item) => {
      const element = stamp("example");
      const [play, from] = ["play", "from"].map((name) => element.querySelector(`.${name}`));
      sound.bareButton(play, item.name, api.audioOf({ item: item.id }));
      from.textContent = item.name;
      from.addEventListener("click", () => this.from(item));
      return element;
    }));
  }

  // --- uploads ---

  receive() {
    const { uploads, upload_bytes: bytes, upload_seconds: seconds } = this.about;
    find("drop").hidden = !uploads;
    find("record").hidden = !navigator.mediaDevices?.getUserMedia;
    find("limits").textContent = `(up to ${Math.round(bytes / 2 ** 20) || "1"} MB, ${Math.round(seconds / 60) || 1} min)`;
    if (!uploads) return;
    find("choose").addEventListener("click", () => find("file").click());
    find("file").addEventListener("change", () => {
      if (find("file").files.length) this.send(find("file").files[0], find("file").files[0].name);
      find("file").value = "";
    });
    find("record").addEventListener("click", () => (this.recorder ? this.recorder.stop() : this.record()));
    this.droppable();
  }

  droppable() {
    const over = (on) => (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      document.body.classList.toggle("over", on);
    };
    addEventListener("dragover", over(true));
    addEventListener("dragleave", (event) => { if (!event.relatedTarget) over(false)(event); });
    addEventListener("drop", (event) => {
      over(false)(event);
      const [file] = event.dataTransfer?.files ?? [];
      if (file) this.send(file, file.name);
    });
  }

  async send(blob, name) {
    this.problem("");
    if (blob.size > this.about.upload_bytes) {
      this.problem(`'${name}' is too large: send a part of it.`);
      return;
    }
    find("drop").setAttribute("aria-busy", "true");
    try {
      this.set([await api.upload(blob, name)]);
    } catch (error) {
      this.problem(error.message);
    } finally {
      find("drop").removeAttribute("aria-busy");
    }
  }

  async record() {
    this.problem("");
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      const recorder = new MediaRecorder(stream);
      const parts = [];
      const end = setTimeout(() => recorder.stop(), LONGEST);
      this.recorder = recorder;
      find("record").textContent = "Stop recording";
      find("record").classList.add("recording");
      recorder.addEventListener("dataavailable", (event) => parts.push(event.data));
      recorder.addEventListener("stop", () => {
        clearTimeout(end);
        for (const track of stream.getTracks()) track.stop();
        this.recorder = null;
        find("record").textContent = "Record";
        find("record").classList.remove("recording");
        this.send(new Blob(parts), "Recording");
      });
      sound.stop();
      recorder.start();
    } catch {
      this.problem("The microphone cannot be used: allow it in the browser, or choose a file.");
    }
  }

  problem(sentence) {
    find("problem").hidden = !sentence;
    find("problem").textContent = sentence;
  }
}

const partOf = (item) => ({ item: item.id, name: item.name, factors: item.factors });
