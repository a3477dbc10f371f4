// What the page needs of the browser: guards swept out of what was drawn, copying of what was said, names.
(() => {
  "use strict";

  const neptun = (window.neptun = {});

  // Words of the page in the browser's language (neptun_demo/ui/words.py).
  const language = navigator.language.startsWith("de") ? "de" : "en";
  neptun.word = (key) => window.neptunWords[language][key] ?? key;

  // Words in HTML that the app drew come in English, in elements whose class names their key; a person's or a
  // model's text has no class. Figures stand in them as elements. The title of thinking is drawn by Gradio.
  const WORD = "neptun-word-";
  const WORDS = `[class^=${WORD}], .thought-group > [role=button] p`;

  function translate(element) {
    const drawn = element.getAttribute("class");
    const figures = [...element.children];
    const written = neptun.word(drawn?.startsWith(WORD) ? drawn.slice(WORD.length) : "thinking").split("{}");
    const parts = written.flatMap((part, at) => [part, figures[at] ?? ""]);
    const text = parts.map((part) => part.textContent ?? part).join("");
    if (element.textContent !== text) element.replaceChildren(...parts);
  }

  // Gradio draws some HTML anew and changes only the texts of other: both are seen before they are painted.
  function changed({ target, addedNodes }) {
    const element = target.nodeType === Node.ELEMENT_NODE ? target : target.parentElement;
    const word = element?.closest(WORDS);
    if (word) translate(word);
    for (const node of addedNodes) {
      if (node.nodeType !== Node.ELEMENT_NODE) continue;
      if (node.matches(WORDS)) translate(node);
      node.querySelectorAll(WORDS).forEach(translate);
    }
  }

  if (language !== "en") {
    const seen = { childList: true, characterData: true, subtree: true };
    new MutationObserver((changes) => changes.forEach(changed)).observe(document.documentElement, seen);
  }

  // The bridge to listeners of the app (neptun_demo/ui/bridge.py).
  let over;
  neptun.bridge = (trigger) => (over = trigger);
  neptun.tell = (name, data) => over?.(name, data);

  // One of these is a guard, two are one that was in the text (neptun_demo/ui/display.py).
  const GUARDS = /\u2060(\u2060?)|\ufeff(\ufeff?)/g;
  const typed = (text) => text.replace(GUARDS, "$1$2");

  const CHAT = ".neptun-conversation";
  const MESSAGE = "[data-testid=user], [data-testid=bot]";
  // What the page itself wrote; a person's or a model's text cannot begin like this, for its `<d` is guarded.
  const OURS = '<div class="neptun-';

  // Gradio gives each message its whole text as a label, HTML included. A reader is better off with the
  // message itself; the label is the only place where the text stands as it was typed, so it is kept here.
  const said = new WeakMap();

  function takeLabel(message) {
    const label = message.getAttribute("aria-label");
    if (label === null) return;
    const text = label.slice(label.indexOf(": ") + 2);
    said.set(message, text.startsWith(OURS) ? null : typed(text));
    message.removeAttribute("aria-label");
  }

  function sweep(node) {
    if (node.nodeType === Node.TEXT_NODE) {
      const text = typed(node.nodeValue);
      if (text !== node.nodeValue) node.nodeValue = text;
      return;
    }
    if (node.nodeType !== Node.ELEMENT_NODE) return;
    if (node.matches(MESSAGE)) takeLabel(node);
    node.querySelectorAll(MESSAGE).forEach(takeLabel);
    const texts = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) sweep(texts.currentNode);
  }

  // What is drawn in *chat*, and what it is told to draw from now on. Not to be called twice for one.
  function watch(chat) {
    sweep(chat);
    new MutationObserver((changes) => {
      for (const change of changes) {
        if (change.type === "childList") change.addedNodes.forEach(sweep);
        else if (change.target.matches(MESSAGE)) takeLabel(change.target);
      }
    }).observe(chat, { childList: true, subtree: true, attributes: true, attributeFilter: ["aria-label"] });
  }

  // Copying. Gradio would copy thinking, notices and numbers along, with the guards.
  const isSaid = (message) => !message.querySelector(".thought-group") && said.get(message) !== null;
  const messages = (place) => [...place.querySelectorAll(MESSAGE)].filter(isSaid);
  const text = (message) => said.get(message) ?? message.innerText;
  const speaker = (message) => (message.dataset.testid === "user" ? "user" : "assistant");

  function copied(button) {
    const code = button.closest(".copy_code_button")?.parentElement.querySelector("code");
    if (code) return code.textContent.replace(/\n$/, "");
    const panel = button.closest(".message-buttons");
    if (panel) return messages(panel.previousElementSibling).map(text).join("\n");
    return messages(button.closest(CHAT)).map((message) => `${speaker(message)}: ${text(message)}`).join("\n\n");
  }

  // Set while the click on a button of the conversation is handled: whatever is copied then becomes this.
  let instead = null;
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.(`${CHAT} button`);
    if (!button) return;
    instead = copied(button);
    setTimeout(() => (instead = null));
  }, true);

  if (navigator.clipboard) {
    const write = navigator.clipboard.writeText.bind(navigator.clipboard);
    navigator.clipboard.writeText = (given) => write(instead ?? given);
  }
  // Without a secure address there is no clipboard but this one.
  document.addEventListener("copy", (event) => {
    if (instead === null) return;
    event.clipboardData.setData("text/plain", instead);
    event.preventDefault();
  }, true);

  function once(selector, found) {
    const look = () => {
      const element = document.querySelector(selector);
      if (element) found(element);
      return element;
    };
    if (look()) return;
    const observer = new MutationObserver(() => look() && observer.disconnect());
    const seen = { childList: true, subtree: true, attributes: true, attributeFilter: ["class"] };
    observer.observe(document.documentElement, seen);
  }
  Object.assign(neptun, { typed, once, watch });
  once("#conversation", watch);

  // A keyboard on a screen covers the page without making it smaller: the box would be under it.
  // Whoever has zoomed in sees a part of a page that is as high as before.
  const room = () => visualViewport.height * visualViewport.scale;
  const fit = () => document.documentElement.style.setProperty("--neptun-height", `${room()}px`);
  if (matchMedia("(pointer: coarse)").matches) window.visualViewport?.addEventListener("resize", fit);

  once("#credential input", (input) => input.setAttribute("autocomplete", "off"));
})();
