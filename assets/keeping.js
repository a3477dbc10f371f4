// The panel of kept conversations: what is drawn of assets/history.js, and its buttons. Titles are set as text.
(() => {
  "use strict";

  const { history, store, uncover, word } = window.neptun;
  const DISARMED_AFTER = 5_000; // milliseconds that a first press on Delete counts

  function element(name, properties = {}, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  }
  const button = (words, pressed, className = "") => {
    const made = element("button", { type: "button", textContent: words, className });
    made.addEventListener("click", () => pressed(made));
    return made;
  };

  const icon = (path) => `<svg viewBox="0 0 16 16" aria-hidden="true"><path d="${path}"/></svg>`;
  const PENCIL = icon("M3 13l.7-3L10.5 3.2a1.4 1.4 0 0 1 2 0l.3.3a1.4 1.4 0 0 1 0 2L6 12.3z");
  const SHARE = icon("M8 10V2.5M5 5l3-2.5L11 5M3.5 8v5h9V8");
  const BIN = icon("M3 4.5h10M6.5 4.5V3h3v1.5M4.5 4.5l.6 8.5h5.8l.6-8.5M6.7 7v4M9.3 7v4");

  let list, nothing, where, note, link;

  function mount(place) {
    const privately = element("input", { type: "checkbox", checked: history.isPrivate });
    privately.addEventListener("change", () => {
      history.setPrivate(privately.checked);
      tellWhere();
    });
    list = element("ul", { className: "neptun-kept" });
    nothing = element("p", { className: "neptun-subdued", textContent: word("none_kept") });
    where = element("p", { className: "neptun-subdued" });
    place.replaceChildren(
      button(word("new_chat"), () => (uncover(), history.begin()), "neptun-new"),
      list,
      nothing,
      element("label", { className: "neptun-private" }, privately, element("span", { textContent: word("private") })),
      where,
    );
    tellWhere();
    draw();
    store.changed(draw);
  }

  const tellWhere = () => (where.textContent = word(history.isPrivate ? "kept_nowhere" : "kept_where"));

  // The menu in the header: what can be done with the conversation that is open.
  function menu(place) {
    const file = element("input", { type: "file", accept: ".json,application/json", hidden: true });
    file.addEventListener("change", () => {
      if (file.files[0]) history.importFile(file.files[0], Number(place.dataset.largest));
      file.value = ""; // so that the same file can be chosen again
    });
    const summary = element("summary", { title: word("conversation") });
    summary.innerHTML = SHARE;
    summary.append(element("span", { textContent: word("conversation") }));
    const does = {
      new_chat: history.begin,
      export_json: history.json,
      export_markdown: history.exportMarkdown,
      import: () => file.click(),
      copy_link: history.copyLink,
    };
    const items = Object.entries(does).map(([name, pressed]) => button(word(name), () => (close(), pressed())));
    const made = element("details", { className: "neptun-menu" }, summary, element("div", {}, ...items));
    const close = () => (made.open = false);
    document.addEventListener("click", (event) => made.contains(event.target) || close());
    made.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !made.open) return;
      event.stopPropagation(); // an answer that is on its way goes on
      close();
      summary.focus();
    });
    place.replaceChildren(made, file);
  }

  // What was done, or went wrong: one line above the conversation, until it is closed or there is news.
  function notes(place) {
    const close = button("×", () => say(""));
    close.ariaLabel = close.title = word("close");
    note = element("p", { role: "status" });
    link = element("input", { readOnly: true, ariaLabel: word("copy_link") });
    place.replaceChildren(note, link, close);
    say("");
  }

  function say(words, address = "") {
    if (!note) return;
    note.textContent = words;
    note.parentElement.classList.toggle("empty", !words);
    Object.assign(link, { value: address, hidden: !address });
  }

  function showLink(address) {
    say(word("copy_this"), address);
    link.select();
  }

  async function draw() {
    if (!list || list.querySelector("input")) return; // a title is being written
    try {
      const kept = await store.list();
      const focused = list.contains(document.activeElement) ? [...list.querySelectorAll("button")].indexOf(document.activeElement) : -1;
      list.replaceChildren(...kept.map(row));
      nothing.hidden = kept.length > 0;
      if (focused >= 0) list.querySelectorAll("button")[focused]?.focus();
    } catch (error) {
      nothing.hidden = true;
      history.failed(error);
    }
  }

  function row(entry) {
    const opener = button(entry.title, () => (uncover(), history.open(entry.id)), "neptun-title");
    opener.title = `${entry.title}\n${new Date(entry.updated).toLocaleString()}`;
    if (entry.id === history.opened) opener.setAttribute("aria-current", "true");
    const pencil = button("", () => rename(made, entry), "neptun-icon");
    pencil.innerHTML = PENCIL;
    pencil.ariaLabel = pencil.title = `${word("rename")}: ${entry.title}`;
    const bin = button("", () => remove(bin, entry), "neptun-icon");
    disarm(bin, entry);
    const made = element("li", {}, opener, pencil, bin);
    return made;
  }

  function rename(item, entry) {
    const input = element("input", { value: entry.title, maxLength: 200, ariaLabel: word("title") });
    let done = false;
    const finish = async (keep) => {
      if (done) return;
      done = true;
      const title = input.value.trim();
      if (keep && title && title !== entry.title) await history.rename(entry.id, title);
      input.remove(); // so that the list is drawn again
      await draw();
      [...list.querySelectorAll("[aria-label]")].find((one) => one.ariaLabel.endsWith(title || entry.title))?.focus();
    };
    input.addEventListener("keydown", (event) => {
      if (event.isComposing) return;
      if (event.key === "Enter" || event.key === "Escape") {
        event.stopPropagation();
        finish(event.key === "Enter");
      }
    });
    input.addEventListener("blur", () => finish(true));
    item.replaceChildren(input);
    input.select();
  }

  function disarm(bin, entry) {
    bin.classList.remove("armed");
    bin.innerHTML = BIN;
    bin.ariaLabel = bin.title = `${word("delete")}: ${entry.title}`;
  }

  // The first press asks, the second one deletes.
  async function remove(bin, entry) {
    if (!bin.classList.contains("armed")) {
      bin.classList.add("armed");
      bin.textContent = word("delete_now");
      bin.ariaLabel = bin.title = `${word("delete_now")} ${entry.title}`;
      const back = () => bin.isConnected && disarm(bin, entry);
      setTimeout(back, DISARMED_AFTER);
      bin.addEventListener("blur", back, { once: true });
      return;
    }
    await history.remove(entry.id);
    await draw();
    say(word("deleted"));
    (list.querySelector("button") ?? document.querySelector(".neptun-new"))?.focus();
  }

  window.neptun.once(".neptun-tools", menu);
  window.neptun.once("#keeping-notes", notes);
  window.neptun.panel = { mount, draw, note: say, showLink };
})();
