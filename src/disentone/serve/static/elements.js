// A few words for making and finding elements; text is always text, never markup.

export const find = (id) => document.getElementById(id);

export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") element.className = value;
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key in element && key !== "list") element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

const space = "http://www.w3.org/2000/svg";

export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS(space, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Fill a template of the page. */
export const stamp = (id) => find(id).content.firstElementChild.cloneNode(true);

export const number = (value, digits = 2) => value.toFixed(digits).replace("-", "−");

/** A factor's value for people. */
export function written(value) {
  if (value === null || value === undefined || value === "") return "–";
  return typeof value === "number" ? String(+value.toPrecision(6)) : value;
}
