// The keyboard: arrows and space for results, numbers to play them.

import { find } from "./elements.js";

const typing = (target) => target.closest("input:not([type=range]):not([type=checkbox]), textarea, select");

export function listen(acts) {
  find("keys-button").addEventListener("click", () => find("keys").showModal());
  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || find("keys").open || typing(target)) return;
    const slider = target.closest("input, summary");
    const button = target.closest("button, a");
    const act =
      key === "?" ? () => find("keys").showModal()
      : /^[1-9]$/.test(key) ? () => acts.pick(Number(key))
      : slider ? null
      : key === "ArrowDown" ? () => acts.step(1)
      : key === "ArrowUp" ? () => acts.step(-1)
      : key === "ArrowRight" ? () => acts.skip(1)
      : key === "ArrowLeft" ? () => acts.skip(-1)
      : button ? null
      : key === " " ? acts.play
      : key === "Enter" ? acts.from
      : null;
    if (act && acts.any()) {
      event.preventDefault();
      act();
    } else if (act && key === "?") act();
  });
}
