// The keys of the message box, the next steps under an answer, and the list of keys.
(() => {
  "use strict";

  const { once, tell, word } = window.neptun;
  const BOX = ".neptun-message textarea";
  // Of the way to ask that is shown.
  const stopButton = () =>
    [...document.querySelectorAll(".neptun-message .stop-button")].find((button) => button.checkVisibility());

  // While an input method composes, its Enter chooses a word. While an answer is on its way, Enter sends
  // nothing: what is typed ahead stays in the box.
  function enter(event) {
    if (event.isComposing || event.keyCode === 229) {
      event.stopImmediatePropagation();
    } else if (!event.shiftKey && stopButton()) {
      event.preventDefault();
      event.stopImmediatePropagation();
    }
  }

  // A message that is being changed: its two buttons, which send it or leave it as it was.
  function edit(event) {
    const [submit, cancel] = event.target.closest(".message-row").nextElementSibling?.querySelectorAll("button") ?? [];
    if (event.isComposing || event.keyCode === 229 || (event.key === "Enter" && event.shiftKey)) return;
    event.preventDefault();
    (event.key === "Enter" ? submit : cancel)?.click();
    document.querySelector("#message textarea")?.focus();
  }

  const isWriting = (element) => element.matches("textarea, input, select, [contenteditable=true]");

  document.addEventListener("keydown", (event) => {
    const target = event.target;
    if (event.key === "Enter" && target.matches?.(BOX)) return enter(event);
    if (["Enter", "Escape"].includes(event.key) && target.matches?.(".edit-textarea")) return edit(event);
    if (event.key === "Escape" && !event.isComposing && !document.querySelector("dialog[open]")) {
      // An open list of a dropdown is closed by it, and a side bar that covers the page.
      if (target.closest?.("[role=listbox], [role=combobox][aria-expanded=true]")) return;
      if (!window.neptun.uncover()) stopButton()?.click();
    } else if (event.key === "?" && !isWriting(target)) {
      event.preventDefault();
      showKeys();
    }
  }, true);

  // The next steps of a notice. Only links that the page itself drew have that class.
  const STEPS = {
    retry: () => tell("retry", { step: "retry" }),
    raise: () => tell("retry", { step: "raise" }),
    credential: () => openSettings("#credential input"),
    model: () => openSettings("#model input"),
    settings: () => openSettings("#side-tab-settings"),
  };

  function openSettings(selector) {
    window.neptun.showPanel("settings");
    document.querySelector("#settings:not(.open) .toggle-button")?.click();
    once(`#settings.open ${selector}`, (control) => {
      control.scrollIntoView({ block: "center" });
      control.focus();
    });
  }
  window.neptun.openSettings = openSettings;

  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a.neptun-next");
    if (!link) return;
    event.preventDefault();
    const column = link.closest(".neptun-column");
    const steps = column ? window.neptun.compare.steps(column) : STEPS;
    steps[link.getAttribute("href").slice("#next-".length)]?.();
  }, true);

  // The list of keys
  const KEYS = [
    ["Enter", "key_send"],
    ["Shift + Enter", "key_line"],
    ["Esc", "key_stop"],
    ["?", "key_keys"],
  ];
  let dialog;

  function drawKeys() {
    dialog = document.createElement("dialog");
    dialog.className = "neptun-keys";
    dialog.setAttribute("aria-labelledby", "neptun-keys-title");
    const title = Object.assign(document.createElement("h2"), { id: "neptun-keys-title", textContent: word("keys") });
    const list = document.createElement("dl");
    for (const [key, does] of KEYS) {
      const name = document.createElement("dt");
      name.append(Object.assign(document.createElement("kbd"), { textContent: key }));
      list.append(name, Object.assign(document.createElement("dd"), { textContent: word(does) }));
    }
    const close = Object.assign(document.createElement("button"), { type: "button", textContent: word("close") });
    close.addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.append(title, list, close);
    // Inside of Gradio's root, where the theme's variables are.
    (document.querySelector(".gradio-container") ?? document.body).append(dialog);
  }

  function showKeys() {
    if (!dialog?.isConnected) drawKeys();
    dialog.showModal();
  }
  window.neptun.showKeys = showKeys;
  document.addEventListener("click", (event) => event.target.closest?.(".neptun-show-keys") && showKeys());
  once(".neptun-show-keys", (button) => (button.title = button.ariaLabel = word("keys")));
})();
