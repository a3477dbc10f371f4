// Conversations: kept in this browser after each answer, opened, renamed, deleted, exported, imported; and links.
// The server gets the one that is opened, and draws it from checked data (neptun_demo/ui/keeping/panel.py).
(() => {
  "use strict";

  const { store, tell, typed, word } = window.neptun;
  const OPEN = "neptun-open", PRIVATE = "neptun-private"; // of this tab, in its sessionStorage
  const PATIENCE = 10_000; // milliseconds; Gradio does not say it when the app is gone
  const LINK_NAMES = ["backend", "model", "system", "max_tokens", "temperature", "top_p", "reasoning_effort", "seed", "stop", "prompt"];

  // Storage may be closed to the page; then everything works but the keeping.
  const tab = {
    get(name) { try { return sessionStorage.getItem(name); } catch { return null; } },
    set(name, value) { try { value ? sessionStorage.setItem(name, value) : sessionStorage.removeItem(name); } catch { /* not kept */ } },
  };

  // What the conversation on the page is kept as: {id, title, named, seen, created, said, asked}; nothing yet.
  let current = null;
  let isPrivate = tab.get(PRIVATE) === "1";
  let unkept = false; // something was said in private: this conversation is not kept any more
  let begun = false; // something was asked, perhaps before all of the page was there
  let running = false;
  let waitingFor = null; // the one thing that the app was asked for
  let writing = Promise.resolve();
  const panel = () => window.neptun.panel;

  // The document (neptun_demo/ui/keeping/document.py), made of the conversation as the browser has it

  const text = (entry) => typed(entry.content.map((part) => part.text).join(""));
  const PIECES = ["thinking", "content", "notice", "numbers"];
  const rank = (pieces) => Math.max(-1, ...Object.keys(pieces).map((name) => PIECES.indexOf(name)));

  function piecesOf(entry) {
    const { id, title, facts, answer, duration } = entry.metadata ?? {};
    if (id === "waiting") return {};
    if (id === "numbers" || id === "notice") return facts ? { [id]: facts, ...(answer && { answer }) } : {};
    if (title) return { thinking: text(entry), ...(duration == null ? {} : { thinking_seconds: duration }) };
    return { content: text(entry) };
  }

  function messagesOf(transcript) {
    const messages = [];
    let answer = null;
    for (const entry of transcript ?? []) {
      if (entry.role === "user") {
        answer = null;
        messages.push({ role: "user", content: text(entry) });
        continue;
      }
      const pieces = piecesOf(entry);
      if (!Object.keys(pieces).length) continue;
      // The pieces of an answer have an order; one that comes too early begins another answer.
      if (!answer || rank(pieces) <= rank(answer)) messages.push((answer = { role: "assistant" }));
      Object.assign(answer, pieces);
    }
    return messages.map((message) => ({ role: message.role, content: "", ...message }));
  }

  const questionsIn = (messages) => messages.filter((message) => message.role === "user").length;

  const whole = (value, least) => (Number.isInteger(value) && value >= least ? value : undefined);
  const words = (value) => (typeof value === "string" && value ? value : undefined);

  const settingsOf = (values) => ({
    backend: values.backend,
    model: words(values.model)?.slice(0, 200),
    // Elsewhere these controls are disabled, and stand at whatever.
    ...(values.backend === "workers-ai" && {
      system: words(values.system),
      max_tokens: whole(values.max_tokens, 1),
      temperature: values.temperature ?? undefined,
      top_p: values.top_p ?? undefined,
      reasoning_effort: words(values.reasoning_effort)?.slice(0, 200),
      seed: whole(values.seed, 1),
      stop: words(values.stop),
    }),
    temporary: values.temporary !== false,
    chat_id: values.temporary === false ? whole(values.chat_id, 0) : undefined,
  });

  function titleOf(messages) {
    const question = messages.find((message) => message.role === "user")?.content ?? "";
    const title = (question.split(/\r?\n/).find((line) => line.trim()) ?? "").trim().replace(/\s+/g, " ");
    const signs = [...title]; // whole ones: an emoji is two characters of JavaScript's
    return signs.length <= 60 ? title : `${signs.slice(0, 60).join("").replace(/ [^ ]*$/, "")} …`;
  }

  const documentOf = (messages, values) => ({
    format: "neptun-playground",
    version: 1,
    title: current?.title || titleOf(messages),
    created: current?.created ?? new Date().toISOString(),
    settings: settingsOf(values),
    messages,
  });

  // Keeping

  const failed = (error) => panel()?.note(word(error?.name === "QuotaExceededError" ? "storage_full" : "storage_closed"));

  // The conversation on the page changed, in a frame of an answer or otherwise.
  function changed(transcript, values) {
    const ran = running;
    begun ||= Boolean(transcript?.length);
    running = transcript?.at(-1)?.metadata?.id === "waiting";
    if (running && !ran) panel()?.note(""); // that was before this question
    if (running && isPrivate) unkept = true;
    if (waitingFor || unkept || !transcript?.length) return;
    const asked = questionsIn(transcript);
    if (running && asked === current?.asked) return; // of an answer that comes only the question is kept
    keep(messagesOf(transcript), values, asked);
  }

  function keep(messages, values, asked) {
    const said = JSON.stringify(messages);
    if (!messages.length || said === current?.said) return;
    if (isPrivate) unkept = true;
    if (unkept) return;
    current ??= { id: store.newId(), created: new Date().toISOString() };
    const mine = current;
    Object.assign(mine, { said, asked, title: mine.title || titleOf(messages) });
    const made = documentOf(messages, values);
    writing = writing
      .then(() => store.put(mine, made))
      .then((entry) => {
        Object.assign(mine, { id: entry.id, seen: entry.updated, title: entry.title, named: entry.named });
        if (mine === current) tab.set(OPEN, mine.id);
        return panel()?.draw();
      })
      .catch(failed);
  }

  // The page shows another conversation from here on: *record*, or a new one.
  function show(record) {
    current = record;
    unkept = false;
    tab.set(OPEN, !isPrivate && record?.seen ? record.id : null);
    panel()?.draw();
  }

  // Asking the app

  const stopButton = () => document.querySelector("#message .stop-button");
  const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

  // An answer that is on its way is stopped before another conversation takes its place.
  async function atRest() {
    const until = performance.now() + 2 * PATIENCE;
    let pressed = false;
    while (running || stopButton() || waitingFor) {
      if (performance.now() > until) {
        panel()?.note(word("not_taken"));
        return false;
      }
      if (!pressed && stopButton()) {
        pressed = true;
        stopButton().click();
      }
      await pause(50);
    }
    return true;
  }

  // What can be *wanted*: that the page shows a document or follows a link, or that it is written as either.
  const END = { open: "keeping-fill", link: "keeping-fill", copy: "keeping-write", markdown: "keeping-write" };

  async function ask(wanted, data, record = null) {
    if (waitingFor) return;
    waitingFor = { wanted, record, patience: setTimeout(unheard, PATIENCE) };
    tell(END[wanted], { ...data, wanted });
  }

  async function openText(given, origin, record) {
    if (await atRest()) ask("open", { document: given, origin }, record);
  }

  async function open(id) {
    try {
      await writing;
      const [kept, entry] = await Promise.all([store.get(id), store.list().then((all) => all.find((one) => one.id === id))]);
      if (!kept || !entry) return panel()?.note(word("not_there")), panel()?.draw();
      const record = { ...entry, seen: entry.updated, created: kept.created };
      await openText(JSON.stringify(kept), "kept", record);
    } catch (error) {
      failed(error);
    }
  }

  async function begin() {
    if (await atRest()) tell("keeping-new", {});
  }

  // The app answered: *reply* is what it said, the rest is what the page shows now.
  function heard(reply, transcript, values) {
    const { wanted, record } = waitingFor ?? {};
    waited();
    const said = JSON.parse(reply || "{}");
    if (said.title !== undefined && wanted === "open") {
      const messages = messagesOf(transcript);
      const asked = questionsIn(messages);
      show(record ? { ...record, said: JSON.stringify(messages), asked } : { id: store.newId(), title: said.title });
      if (!record) keep(messages, values, asked);
    }
    if (said.markdown !== undefined) download(said.markdown, "text/markdown", "md");
    if (said.link !== undefined) copy(said.link);
    panel()?.note(said.note ?? "");
  }

  function waited() {
    clearTimeout(waitingFor?.patience);
    waitingFor = null;
  }

  // The app refused, or is gone. An answer that comes all the same must not be kept in another one's place.
  function unheard() {
    if (waitingFor?.wanted === "open") current = null;
    waited();
    panel()?.note(word("not_taken"));
  }

  // Out of the page, and into it

  const fileName = () =>
    (/^.{1,50}/u.exec((current?.title ?? "").toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "")) ?? ["conversation"])[0];

  function download(content, type, ending) {
    const link = Object.assign(document.createElement("a"), {
      href: URL.createObjectURL(new Blob([content], { type: `${type};charset=utf-8` })),
      download: `${fileName()}.${ending}`,
    });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  function exportJson(transcript, values) {
    const messages = messagesOf(transcript);
    if (!messages.length) return panel()?.note(word("nothing_said"));
    download(`${JSON.stringify(documentOf(messages, values), null, 2)}\n`, "application/json", "json");
  }

  const exportMarkdown = () => ask("markdown", { title: current?.title ?? "" });

  async function importFile(file, largest) {
    if (file.size > largest) return panel()?.note(word("too_large"));
    openText(await file.text(), "file", null);
  }

  async function copy(query) {
    const link = `${location.origin}${location.pathname}${query && "?"}${query}`;
    try {
      await navigator.clipboard.writeText(link);
    } catch {
      panel()?.showLink(link); // no clipboard without a secure address
    }
  }

  // The page has loaded: what a link asks for, or what this tab showed before. A link that was followed here
  // before, and talked on from, does not come between when the page is loaded again; nor does either where
  // somebody asked something already, on a slow network.
  function started() {
    if (begun) return;
    const names = [...new URLSearchParams(location.search).keys()];
    const isLink = names.some((name) => LINK_NAMES.includes(name));
    const again = ["reload", "back_forward"].includes(performance.getEntriesByType("navigation")[0]?.type);
    if (isLink && !again) tab.set(OPEN, null);
    if (tab.get(OPEN)) open(tab.get(OPEN));
    else if (isLink) ask("link", { query: location.search.slice(1) });
  }

  // A message that is sent: what it begins is not on the page yet.
  function sending(event) {
    const sends = event.type === "click" ? "#message .submit-button" : "#message textarea";
    const box = event.target.closest?.(sends) && document.querySelector("#message textarea");
    if (box?.value.trim() && (event.type === "click" || (event.key === "Enter" && !event.shiftKey && !event.isComposing))) begun = true;
  }
  document.addEventListener("click", sending, true);
  document.addEventListener("keydown", sending, true);

  function setPrivate(on) {
    isPrivate = on;
    tab.set(PRIVATE, on ? "1" : null);
    panel()?.note(on ? "" : word(unkept ? "still_unkept" : "kept_again"));
  }

  window.neptun.history = {
    begin, open, importFile, exportMarkdown, exportJson, changed, heard, unheard, started, setPrivate, failed,
    atRest,
    // Whether what the chat shows can be opened again, once it has been left.
    isKept: () => writing.then(() => Boolean(current?.seen) && !unkept),
    left: () => show(null),
    copyLink: () => ask("copy", {}),
    json: () => tell("keeping-json", {}),
    rename: (id, title) => {
      if (current?.id === id) Object.assign(current, { title, named: true });
      return store.rename(id, title).catch(failed);
    },
    remove: (id) => writing.then(() => store.remove(id)).then(() => (current?.id === id ? begin() : undefined)).catch(failed),
    get isPrivate() { return isPrivate; },
    get opened() { return current?.seen ? current.id : null; },
  };
})();
