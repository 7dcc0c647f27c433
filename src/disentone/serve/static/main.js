// The page: the query, its results, and the parts that show them.

import * as api from "./api.js";
import { find } from "./elements.js";
import { Filters } from "./filters.js";
import { listen } from "./keys.js";
import { SoundMap } from "./map.js";
import { Progress, sounds } from "./progress.js";
import { Query } from "./query.js";
import { compare } from "./radar.js";
import { Results } from "./results.js";
import * as sound from "./sound.js";
import { Weights } from "./weights.js";

const narrow = matchMedia("(max-width: 46rem)").matches;
const PAGE = narrow ? 10 : 20;
const MAPPED = 100; // sounds that a first map is worth, while more are being indexed

async function begin() {
  let [about, library] = await Promise.all([api.collection(), api.library()]);
  const facets = Object.keys(about.facets);
  document.title = `${about.name} · disentone`;
  find("title").textContent = about.name;
  const size = document.createElement("small");
  size.textContent = sounds(about.items);
  find("title").append(" ", size);

  let k = PAGE;
  const search = latest(async () => {
    if (!query.asked) return clear();
    const chosen = weights.chosen || query.wanted.examples.length === 1 ? weights.values : undefined;
    if (chosen && !Object.keys(chosen).length) return say("Give at least one facet some weight.");
    const begun = performance.now();
    const found = await api.search({
      query: query.wanted, weights: chosen, where: filters.where ?? undefined, k,
      diversity: find("diverse").checked ? 0.3 : 0, one_per_recording: find("once").checked,
    });
    if (!chosen) weights.show(found.weights);
    inferred(chosen ? null : found.weights);
    results.show(found.results, found.weights);
    map.mark({ query: query.items, results: found.results.map((hit) => hit.id) });
    find("empty").hidden = true;
    find("more").hidden = found.results.length < k || k >= 200;
    const count = found.candidates.toLocaleString("en");
    const summary = found.results.length ? `best of ${count}` : "Nothing passes these filters: remove one.";
    say(about.items ? summary : "");
    find("status").dataset.milliseconds = (performance.now() - begun).toFixed(1);
    return undefined;
  });

  const clear = () => {
    results.show([], {});
    map.mark({ query: [], results: [] });
    find("empty").hidden = false;
    find("more").hidden = true;
    inferred(null);
    say("");
  };
  const again = () => { k = PAGE; search(); };

  const weights = new Weights(facets, again);
  const filters = new Filters(about.factors, again);
  const query = new Query(about, (kind) => {
    if (kind === "more") weights.chosen = false;
    query.problem("");
    again();
  });
  const results = new Results(facets, {
    from: (hit) => { query.from(hit); scrollTo({ top: 0, behavior: "smooth" }); },
    add: (hit) => query.add(hit, "like"),
    away: (hit) => query.add(hit, "away"),
    current: (hit, rank) => {
      compare(query.known, hit, rank);
      map.mark({ playing: hit?.id ?? null });
    },
  });
  const map = new SoundMap(facets, about.factors, {
    play: (id) => listenTo(id),
    query: (items) => query.group(items),
  });

  const listenTo = (id) => {
    const row = results.byId(id);
    map.mark({ playing: id });
    if (row) return results.pick(row.rank);
    return sound.bare(api.audioOf({ item: id })).play().catch(() => say("This sound cannot be played."));
  };

  for (const id of ["once", "diverse"]) find(id).addEventListener("change", again);
  find("more").addEventListener("click", () => { k = Math.min(200, k + PAGE); search(); });
  remember(find("hover"));
  find("filters-box").open = !narrow;
  listen({
    any: () => results.listed.length > 0,
    step: (by) => results.step(by),
    pick: (rank) => results.pick(rank),
    play: () => results.play(),
    skip: (seconds) => results.current?.wave?.skip(seconds),
    from: () => query.from(results.current.hit),
  });
  let mapped = 0; // sounds on the map
  const [hint] = find("map-hint").childNodes;
  const [help, later] = [hint.data, "It is drawn as soon as more sounds are indexed."];
  const draw = async () => {
    const { items, state } = library;
    if (state === "indexing" ? items < Math.max(MAPPED, 2 * mapped) : !items) {
      if (!mapped) hint.data = later;
      return;
    }
    mapped = items;
    try {
      await map.load(about.factors);
      hint.data = help;
    } catch (error) {
      hint.data = error.message;
    }
  };
  new Progress(library, async (now, ended) => {
    [about, library] = [await api.collection(), now];
    size.textContent = sounds(about.items);
    filters.update(about.factors);
    query.update(about, ended);
    draw();
    search();
  });
  document.documentElement.dataset.ready = "true";
  draw();
}

function inferred(weights) {
  find("inferred").hidden = !weights;
  if (!weights) return;
  const shared = Object.entries(weights).filter(([, weight]) => weight >= 0.5).map(([name]) => name);
  find("inferred").textContent = shared.length
    ? `Set to what the sounds share: ${shared.join(", ")}. Move any slider to change it.`
    : "The sounds share little; set the weights with the sliders.";
}

/** Run a task; while it runs, remember only that it must run again. */
function latest(task) {
  let [busy, again] = [false, false];
  return async () => {
    again = true;
    if (busy) return;
    busy = true;
    while (again) {
      again = false;
      try {
        await task();
      } catch (error) {
        say(error.message);
      }
    }
    busy = false;
  };
}

function say(sentence) {
  find("status").textContent = sentence;
}

/** Keep a choice for the next visit. */
function remember(box) {
  const key = `disentone-${box.id}`;
  try {
    box.checked = localStorage.getItem(key) !== "no";
    box.addEventListener("change", () => localStorage.setItem(key, box.checked ? "yes" : "no"));
  } catch {
    box.checked = true; // private windows keep nothing
  }
}

begin().catch((error) => {
  find("problem").hidden = false;
  find("problem").textContent = error.message;
});
