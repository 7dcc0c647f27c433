// The server's API, version 1; a problem is an Error whose message is the server's sentence.

const root = new URL("api/v1/", document.baseURI);

export function address(path, parameters = {}) {
  const url = new URL(path, root);
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.href;
}

async function ask(url, options = {}) {
  let answer;
  try {
    answer = await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer: is it still running?");
  }
  if (answer.ok) return answer.json();
  const { error } = await answer.json().catch(() => ({}));
  throw new Error(error ?? `The server answered ${answer.status}.`);
}

export const collection = () => ask(address("collection"));
export const library = () => ask(address("library"));
export const item = (id) => ask(address("item", { id }));
export const points = () => ask(address("map/points"));
export const layout = (facet) => ask(address("map", { facet }));
export const peaks = (id, signal) => ask(address("peaks", { id }), { signal });

export const search = (wanted) =>
  ask(address("search"), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(wanted),
  });

export const upload = (blob, name) =>
  ask(address("uploads", { name }), {
    method: "POST",
    headers: { "Content-Type": "application/octet-stream" },
    body: blob,
  });

export const audioOf = (example) =>
  example.upload
    ? address("uploads/audio", { upload: example.upload })
    : address("audio", { id: example.item });
