// How far the index is with its folders, while the server brings it up to date.

import * as api from "./api.js";
import { find, make } from "./elements.js";

const SOON = 1000; // milliseconds to the next question while something goes on
const LATER = 5000;

const count = (number) => number.toLocaleString("en");
export const sounds = (number) => `${count(number)} ${number === 1 ? "sound" : "sounds"}`;

export class Progress {
  /** `changed(now, ended)` is called when other sounds can be searched than before, or all are there. */
  constructor(now, changed) {
    this.changed = changed;
    this.version = now.version;
    this.state = "current";
    this.show(now);
    if (now.state === "indexing" || now.watching) setTimeout(() => this.ask(), SOON);
  }

  async ask() {
    let now = null;
    try {
      now = await api.library();
      const ended = now.state !== "indexing" && this.state === "indexing";
      this.show(now);
      if (now.version !== this.version || ended) await this.changed(now, ended);
      this.version = now.version;
    } catch (error) {
      find("library").hidden = false;
      find("library-bar").hidden = true;
      find("library-text").textContent = error.message;
    }
    setTimeout(() => this.ask(), now?.state === "indexing" ? SOON : LATER);
  }

  show(now) {
    const busy = now.state === "indexing";
    find("library").hidden = !busy && !now.failed && !now.error;
    find("library-bar").hidden = !busy;
    if (now.counted && now.done) {
      find("library-bar").max = Math.max(1, now.found);
      find("library-bar").value = now.done;
    } else find("library-bar").removeAttribute("value"); // it moves, and shows no share
    find("library-text").textContent = now.error ?? (busy ? going(now) : ended(now));
    this.failures(now);
    if (now.state !== this.state) find("library-said").textContent = now.error ?? (busy ? "Indexing begins." : ended(now));
    this.state = now.state;
  }

  failures({ failed, failures }) {
    const box = find("library-failed");
    box.hidden = !failed;
    const shown = `${failed} ${failures.length}`;
    if (!failed || box.dataset.shown === shown) return;
    box.dataset.shown = shown;
    box.querySelector("summary").textContent = `${sounds(failed)} cannot be used`;
    const more = failed - failures.length;
    box.querySelector("ul").replaceChildren(
      ...failures.map(({ path, reason }) => make("li", {}, make("span", { class: "path" }, path), ` ${reason}`)),
      ...(more > 0 ? [make("li", {}, `And ${count(more)} more: all are listed in skipped.csv of the index.`)] : []),
    );
  }
}

function going({ done, found, counted, items, seconds_left: seconds }) {
  if (!done) return `${found ? `${sounds(found)} found.` : "Looking for sounds."} The first can be searched in some seconds.`;
  const all = counted ? count(found) : `more than ${count(found)}`;
  const left = seconds === null ? "" : `, ${time(seconds)} left`;
  const ready = items < done ? ` ${count(items)} can be searched now.` : "";
  return `Indexing ${count(done)} of ${all}${left}.${ready}`;
}

function ended({ done, failed }) {
  if (failed && failed >= done) return "None of the sounds can be used.";
  return `${failed ? "" : "All "}${sounds(done - failed)} can be searched.`;
}

function time(seconds) {
  if (seconds < 100) return `about ${Math.max(1, Math.round(seconds))} s`;
  return seconds < 5400 ? `about ${Math.round(seconds / 60)} min` : `about ${Math.round(seconds / 3600)} h`;
}
