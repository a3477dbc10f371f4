// The side bar has two panels, settings and conversations, of which one is shown; and its handle has a name.
(() => {
  "use strict";

  const { once, word } = window.neptun;
  const PANELS = ["settings", "conversations"];
  const tab = (name) => document.getElementById(`side-tab-${name}`);

  function show(name) {
    for (const each of PANELS) {
      const shown = each === name;
      document.getElementById(`side-${each}`)?.toggleAttribute("hidden", !shown);
      tab(each)?.setAttribute("aria-selected", String(shown));
      if (tab(each)) tab(each).tabIndex = shown ? 0 : -1;
    }
  }

  document.addEventListener("click", (event) => {
    const pressed = event.target.closest?.("#side-tabs [role=tab]");
    if (pressed) show(pressed.dataset.panel);
  });

  document.addEventListener("keydown", (event) => {
    const now = event.target.closest?.("#side-tabs [role=tab]");
    if (!now || !["ArrowLeft", "ArrowRight"].includes(event.key)) return;
    const other = PANELS.find((name) => name !== now.dataset.panel);
    show(other);
    tab(other).focus();
  });

  once("#side-tabs [role=tab]", () => {
    for (const name of PANELS) {
      tab(name).textContent = word(name);
      document.getElementById(`side-${name}`)?.setAttribute("role", "tabpanel");
      document.getElementById(`side-${name}`)?.setAttribute("aria-labelledby", `side-tab-${name}`);
    }
    show(PANELS[0]);
  });
  once("#settings .toggle-button", (handle) => (handle.dataset.name = word("menu")));

  window.neptun.showPanel = show;
})();
