// What the side bar needs of the browser.
(() => {
  "use strict";

  const { once } = window.neptun;

  // Whoever goes to a list that can be searched wants to type a name, not to add to the one that stands there.
  document.addEventListener("focusin", (event) => {
    if (event.target.matches?.("input[role=combobox]")) event.target.select();
  });

  // The result of a check is read out when it comes.
  once("#checked", (found) => found.setAttribute("aria-live", "polite"));
})();
