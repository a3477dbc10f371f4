// What the side bar needs of the browser.
(() => {
  "use strict";

  const { once, word } = window.neptun;

  // Whoever goes to a list that can be searched wants to type a name, not to add to the one that stands there.
  document.addEventListener("focusin", (event) => {
    if (event.target.matches?.("input[role=combobox]")) event.target.select();
  });

  // What was found is true of the credential that was checked, and of nothing that is typed after it. The
  // credential itself is kept nowhere; and Gradio tells of input after an Enter, too, which changes nothing.
  const trace = (text) => [...(text ?? "")].reduce((sum, sign) => (Math.imul(sum, 31) + sign.codePointAt(0)) | 0, 7);
  let checked;
  window.neptun.checking = (credential) => {
    checked = trace(credential);
    return `<p class="neptun-check">${word("checking")}</p>`;
  };
  window.neptun.stillFound = (credential, found) => (trace(credential) === checked ? found : "");

  // The result of a check is read out when it comes.
  once("#checked", (found) => found.setAttribute("aria-live", "polite"));
})();
