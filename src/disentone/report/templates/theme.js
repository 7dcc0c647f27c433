(() => {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const system = () => (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  const show = (theme) => {
    root.dataset.theme = theme;
    const other = theme === "dark" ? "light" : "dark";
    button.textContent = `${other[0].toUpperCase()}${other.slice(1)} theme`;
  };
  let kept = null;
  try { kept = localStorage.getItem("disentone-theme"); } catch { /* private windows keep nothing */ }
  const asked = ["dark", "light"].find((theme) => location.hash === `#${theme}`);
  show(asked ?? (kept === "dark" || kept === "light" ? kept : system()));
  button.hidden = false;
  button.addEventListener("click", () => {
    const next = root.dataset.theme === "dark" ? "light" : "dark";
    show(next);
    try { localStorage.setItem("disentone-theme", next); } catch { /* as above */ }
  });
  // One player at a time.
  document.addEventListener("play", (event) => {
    for (const player of document.querySelectorAll("audio")) {
      if (player !== event.target) player.pause();
    }
  }, true);
})();
