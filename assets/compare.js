// Compare: which columns are shown, which of them answer, and what their buttons do (neptun_demo/ui/comparing/column.py).
(() => {
  "use strict";

  const { openSettings, watch, word } = window.neptun;
  const NAMES = ["A", "B", "C"];
  const FEWEST = 2;

  const triggers = new Map(); // of the bars, by the column's name
  const shown = new Set(NAMES.slice(0, FEWEST));
  const running = new Map(); // what each was asked, by the column's name
  const kept = { text: "" }; // what was sent last, until every column has taken it

  const columnOf = (name) => document.getElementById(`column-${name.toLowerCase()}`);
  const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

  // Words

  function entitle(root) {
    for (const element of root.querySelectorAll("[data-word]")) element.textContent = named(element, element.dataset.word);
    for (const element of root.querySelectorAll("[data-name]")) element.ariaLabel = named(element, element.dataset.name);
  }
  const named = (element, key) => word(key).replace("{}", element.dataset.column ?? "");

  // Columns

  function mount(name, bar, trigger) {
    triggers.set(name, trigger);
    const column = bar.closest(".neptun-column");
    column.setAttribute("role", "group");
    column.setAttribute("aria-label", word("column").replace("{}", name));
    entitle(bar);
    watch(column.querySelector(".neptun-conversation"));
    draw();
  }

  function draw() {
    for (const name of NAMES) {
      const column = columnOf(name);
      if (!column) continue;
      column.toggleAttribute("data-shown", shown.has(name));
      column.toggleAttribute("data-running", running.has(name));
    }
    const compare = document.getElementById("compare");
    compare?.setAttribute("data-columns", shown.size);
    compare?.toggleAttribute("data-running", running.size > 0);
  }

  function show(name) {
    shown.add(name);
    draw();
    const column = columnOf(name);
    column.scrollIntoView({ block: "nearest", inline: "end" });
    column.querySelector("input")?.focus({ preventScroll: true });
  }

  function remove(name) {
    if (shown.size <= FEWEST) return;
    clear(name);
    shown.delete(name);
    draw();
    document.querySelector("#compare-tools [data-does=add]")?.focus();
  }

  const clear = (name) => triggers.get(name)("clear", {});

  function ask(name, data) {
    if (running.has(name)) return;
    running.set(name, data);
    draw();
    triggers.get(name)("ask", data);
  }

  // The message box of all columns. Which of its buttons is shown, and whether Enter sends, `draw()` decides.
  function send(text) {
    if (running.size || !text?.trim()) return text;
    kept.text = text;
    for (const name of shown) ask(name, { step: "send", text });
    return "";
  }

  function rest(name) {
    running.delete(name);
    draw();
  }

  // The app did not take it: it goes back into the box, unless something else was typed there.
  function refused(name, text) {
    rest(name);
    return text || kept.text;
  }

  // Pressed before the answer has begun there is nothing to stop yet: so it is said until there is.
  async function stop(name) {
    for (const asked = running.get(name); asked && running.get(name) === asked; await pause(250)) {
      triggers.get(name)("stop", {});
    }
  }

  const stopAll = () => running.forEach((_, name) => stop(name));

  // Keeping one: the chat goes on with its conversation and its settings.

  const isEmpty = () => !document.querySelector("#conversation [data-testid=user]");

  async function keep(name) {
    const { history } = window.neptun;
    if (!(await history.atRest())) return;
    // The chat's own conversation is left for a new one. Where it is not kept it would be lost, so that is asked.
    if (!isEmpty() && !(await history.isKept()) && !(await agreed())) return;
    history.left();
    triggers.get(name)("keep", {});
  }

  function agreed() {
    const dialog = document.createElement("dialog");
    dialog.className = "neptun-keys";
    const question = Object.assign(document.createElement("p"), { id: "neptun-agreed", textContent: word("replace_chat") });
    dialog.setAttribute("aria-labelledby", question.id);
    const form = Object.assign(document.createElement("form"), { method: "dialog" });
    for (const answer of ["replace", "cancel"]) {
      form.append(Object.assign(document.createElement("button"), { value: answer, textContent: word(answer) }));
    }
    dialog.append(question, form);
    document.querySelector(".gradio-container").append(dialog);
    dialog.showModal();
    return new Promise((done) => {
      dialog.addEventListener("close", () => (dialog.remove(), done(dialog.returnValue === "replace")));
    });
  }

  // What is pressed

  const DOES = {
    add: () => show(NAMES.find((name) => !shown.has(name))),
    remove,
    clear: () => shown.forEach(clear),
    stop,
    retry: (name) => ask(name, { step: "retry" }),
    keep,
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("#compare button[data-does]");
    if (button) DOES[button.dataset.does](button.dataset.column);
  });

  // The next steps of a notice in a column: see talk.js.
  const steps = (column) => {
    const name = NAMES.find((one) => columnOf(one) === column);
    return {
      retry: () => ask(name, { step: "retry" }),
      raise: () => ask(name, { step: "raise" }),
      credential: () => openSettings("#credential input"),
      model: () => column.querySelector(`#model-${name.toLowerCase()} input`)?.focus(),
    };
  };

  window.neptun.compare = { entitle, mount, send, stopAll, rest, refused, steps };
})();
