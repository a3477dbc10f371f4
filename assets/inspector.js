// The side bar "Look inside" (neptun_demo/ui/inspector/panel.py): what it shows is fetched when it is looked at.
(() => {
  "use strict";

  const { once, tell, word } = window.neptun;
  const LINK = /^#look-([0-9a-f]+)$/;
  const LINKS = "#conversation a.neptun-look";
  const part = (selector) => document.querySelector(`#inspector ${selector}`);
  const parts = (selector) => [...document.querySelectorAll(`#inspector ${selector}`)];

  // Where there is room it stands beside the conversation, else it lies over it; on a phone it is all there is.
  const wide = matchMedia("(min-width: 1180px)");
  const phone = matchMedia("(max-width: 640px)");
  const manner = () => (wide.matches ? "beside" : phone.matches ? "alone" : "over");

  const wanted = { answer: "", view: "request" };
  let opener = null;
  let newest = "";
  let setAside = [];

  const isOpen = () => part("")?.dataset.manner !== undefined;
  const lastAnswer = () => LINK.exec([...document.querySelectorAll(LINKS)].at(-1)?.getAttribute("href"))?.[1] ?? "";

  function look() {
    part("#inspector-view").setAttribute("aria-busy", "true");
    tell("inspector-look", asking());
  }

  function asking() {
    const chosen = Object.fromEntries(parts("select").map((select) => [select.name, select.value]));
    return { ...wanted, ...chosen, address: new URL(".", location.href).href };
  }

  function show(answer, by = null) {
    wanted.answer = answer;
    if (!isOpen()) open(by);
    look();
  }

  // Opening and closing

  function open(by) {
    opener = by;
    newest = lastAnswer();
    part("").setAttribute("aria-labelledby", "inspector-title");
    place();
    part("h2").focus();
  }

  function close() {
    delete part("").dataset.manner;
    comeBack();
    // The link may have been drawn anew, or be gone.
    const link = opener?.isConnected ? opener : document.querySelector(`a.neptun-look[href="#look-${wanted.answer}"]`);
    (link ?? document.querySelector("#message textarea"))?.focus();
  }

  function place() {
    const alone = manner() === "alone";
    part("").dataset.manner = manner();
    part("").setAttribute("role", alone ? "dialog" : "region");
    if (alone) part("").setAttribute("aria-modal", "true");
    else part("").removeAttribute("aria-modal");
    comeBack();
    if (alone) stepAside();
  }

  // What lies under it on a phone cannot be reached.
  function stepAside() {
    for (let node = part(""); node !== document.body; node = node.parentElement) {
      setAside.push(...[...node.parentElement.children].filter((other) => other !== node && !other.inert));
    }
    setAside.forEach((other) => (other.inert = true));
  }

  function comeBack() {
    setAside.forEach((other) => (other.inert = false));
    setAside = [];
  }

  const replace = () => isOpen() && place();
  wide.addEventListener("change", replace);
  phone.addEventListener("change", replace);

  // What came

  function drawn() {
    const content = part(".inspected");
    if (!content) return;
    const { view, answer, previous, next, gone } = content.dataset;
    if (gone && view === "code" && wanted.answer === answer) {
      content.dataset.gone = "";
      return tell("inspector-recall", asking());
    }
    part("#inspector-view").removeAttribute("aria-busy");
    part("#inspector-view").setAttribute("aria-labelledby", `inspector-tab-${view}`);
    enable(part("[data-step=previous]"), previous);
    enable(part("[data-step=next]"), next);
  }

  function enable(button, answer) {
    button.setAttribute("aria-disabled", String(!answer));
    button.dataset.answer = answer ?? "";
  }

  function name(element, words) {
    element.setAttribute("aria-label", words);
    if (element.matches("button")) element.title = words;
  }

  // Tabs

  function choose(view, { focus } = {}) {
    wanted.view = view;
    for (const tab of parts("[role=tab]")) {
      const chosen = tab.dataset.view === view;
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
      if (chosen && focus) tab.focus();
    }
    part(".choices").hidden = view !== "code";
  }

  function step(event) {
    const tabs = parts("[role=tab]");
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const ends = { Home: 0, End: tabs.length - 1 }[event.key];
    if (by === undefined && ends === undefined) return;
    event.preventDefault();
    const at = ends ?? (tabs.indexOf(event.target) + by + tabs.length) % tabs.length;
    choose(tabs[at].dataset.view, { focus: true });
    look();
  }

  // Copying and saving

  // What is unseen is drawn by its name; what is copied is the character itself.
  function copiedText(code) {
    const copy = code.cloneNode(true);
    copy.querySelectorAll(".sign[data-code]").forEach((sign) =>
      sign.replaceWith(String.fromCodePoint(parseInt(sign.dataset.code, 16))));
    return copy.textContent;
  }

  async function copy(button) {
    const text = copiedText(button.parentElement.querySelector("code"));
    say((await written(text)) ? word("look_copied") : word("look_not_copied"));
  }

  async function written(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return copiedByHand(text); // without a secure address there is no clipboard but this one
    }
  }

  function copiedByHand(text) {
    const field = Object.assign(document.createElement("textarea"), { value: text });
    const focused = document.activeElement;
    part("").append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    focused?.focus();
    return done;
  }

  let silence;
  function say(words) {
    part(".told").textContent = words;
    clearTimeout(silence);
    silence = setTimeout(() => (part(".told").textContent = ""), 4000);
  }

  window.neptun.saveRecord = (text) => {
    if (!text) return say(word("look_not_saved"));
    const address = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    const link = Object.assign(document.createElement("a"), { href: address });
    link.download = `neptun-answer-${JSON.parse(text).answer}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
    say(word("look_saved"));
  };

  // Clicks and keys

  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a.neptun-look");
    const answer = link && LINK.exec(link.getAttribute("href"))?.[1];
    if (!answer) return;
    event.preventDefault();
    show(answer, link);
  }, true);

  function click(event) {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.matches(".close")) close();
    else if (button.matches(".copy")) copy(button);
    else if (button.matches(".save")) tell("inspector-save", asking());
    else if (button.matches("[role=tab]")) choose(button.dataset.view), look();
    else if (button.matches(".step") && button.dataset.answer) show(button.dataset.answer);
  }

  // Before the page's own keys: Escape here closes this, and stops no answer.
  window.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !isOpen() || !event.target.closest?.("#inspector")) return;
    event.stopImmediatePropagation();
    close();
  }, true);

  once("#inspector-shell .head", () => {
    for (const element of parts("[data-word]")) element.textContent = word(element.dataset.word);
    for (const element of parts("[data-name]")) name(element, word(element.dataset.name));
    part("h2").id = "inspector-title";
    part("#inspector-view").setAttribute("role", "tabpanel");
    part("#inspector-view").tabIndex = 0;
    choose("request");
    part("").addEventListener("click", click);
    part("").addEventListener("change", (event) => event.target.matches("select") && look());
    part("[role=tablist]").addEventListener("keydown", step);
    new MutationObserver(drawn).observe(part("#inspector-view"), { childList: true, subtree: true });
  });

  // While it is open it goes along with the conversation: an answer that ends is shown.
  once("#conversation", (conversation) => {
    new MutationObserver(() => {
      if (!isOpen()) return;
      const answer = lastAnswer();
      if (answer === newest) return;
      newest = answer;
      if (answer) show(answer);
    }).observe(conversation, { childList: true, subtree: true });
  });
})();
