// The side bar has two panels, settings and conversations, of which one is shown; and its handle has a name.
(() => {
  "use strict";

  const { once, word } = window.neptun;
  const PANELS = ["settings", "conversations"];
  const tab = (name) => document.getElementById(`side-tab-${name}`);
  let chosen = PANELS[0];

  function show(name) {
    chosen = name;
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
    for (const name of PANELS) tab(name).textContent = word(name);
    show(chosen);
  });
  once("#side-conversations", () => {
    for (const name of PANELS) {
      const panel = document.getElementById(`side-${name}`);
      panel.setAttribute("role", "tabpanel");
      panel.setAttribute("aria-labelledby", `side-tab-${name}`);
      tab(name).setAttribute("aria-controls", `side-${name}`);
    }
    show(chosen);
  });
  once("#settings .toggle-button", (handle) => (handle.dataset.name = word("menu")));

  // Where the open side bar covers the whole page (Gradio's own limit), nothing behind it can be reached.
  const covering = matchMedia("(max-width: 768px)");
  const covers = (bar) => covering.matches && bar?.classList.contains("open");
  let behind = [];

  function setAside(bar) {
    behind.forEach((other) => (other.inert = false));
    const others = [...bar.parentElement.children, document.querySelector("footer")];
    behind = covers(bar) ? others.filter((other) => other && other !== bar && !other.inert) : [];
    behind.forEach((other) => (other.inert = true));
  }

  once("#settings", (bar) => {
    new MutationObserver(() => setAside(bar)).observe(bar, { attributes: true, attributeFilter: ["class"] });
    covering.addEventListener("change", () => setAside(bar));
  });

  // Closes the side bar where it covers the page, and says whether it did.
  function uncover() {
    const bar = document.querySelector("#settings");
    const handle = covers(bar) && bar.querySelector(".toggle-button");
    handle?.click?.();
    handle?.focus?.();
    return Boolean(handle);
  }

  // Once the page stands: the side bar is open where there is room for it; on a phone it would cover the page.
  // The panels are more work to draw than all the rest, and a first question needs none of them: they stand in
  // an accordion of Gradio's, whose content is drawn when it is opened. Not in the first moment, in which
  // somebody may be sending that question already; then when nothing else is to be done.
  function openSide() {
    if (innerWidth >= 1024) document.querySelector("#settings:not(.open) .toggle-button")?.click();
    const open = () => document.querySelector("#side-panels > .label-wrap:not(.open)")?.click();
    setTimeout(() => (window.requestIdleCallback ?? setTimeout)(open, { timeout: 1000 }), 400); // Safari never says so
  }

  Object.assign(window.neptun, { showPanel: show, uncover, openSide });
})();
