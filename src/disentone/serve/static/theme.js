// Before the first paint: the theme that was chosen, else the system's.
(() => {
  const root = document.documentElement;
  let kept = null;
  try { kept = localStorage.getItem("disentone-theme"); } catch { /* private windows keep nothing */ }
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  root.dataset.theme = kept === "dark" || kept === "light" ? kept : system;
  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const name = () => {
      button.textContent = root.dataset.theme === "dark" ? "Light theme" : "Dark theme";
    };
    name();
    button.addEventListener("click", () => {
      root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
      try { localStorage.setItem("disentone-theme", root.dataset.theme); } catch { /* as above */ }
      name();
      root.dispatchEvent(new Event("themechange"));
    });
  });
})();
