// Where conversations are kept: this browser's IndexedDB, one record for each, so that no tab overwrites
// what another one keeps. The list is apart from the documents: it is read often, they are read one at a time.
(() => {
  "use strict";

  const LIST = "list", DOCUMENTS = "documents";
  let opening = null;

  function database() {
    opening ??= new Promise((resolve, reject) => {
      const request = indexedDB.open("neptun-playground", 1);
      request.onupgradeneeded = () => {
        request.result.createObjectStore(LIST, { keyPath: "id" });
        request.result.createObjectStore(DOCUMENTS);
      };
      request.onsuccess = () => {
        request.result.onversionchange = () => request.result.close();
        resolve(request.result);
      };
      request.onerror = () => reject(request.error);
    }).catch((error) => {
      opening = null;
      throw error;
    });
    return opening;
  }

  // Do *work* in one transaction; what it gives is there once everything is written.
  async function transaction(mode, work) {
    const running = (await database()).transaction([LIST, DOCUMENTS], mode);
    return new Promise((resolve, reject) => {
      let given;
      running.oncomplete = () => resolve(given?.result ?? given);
      running.onerror = running.onabort = () => reject(running.error);
      given = work(running.objectStore(LIST), running.objectStore(DOCUMENTS));
    });
  }

  const newId = () => [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

  const others = "BroadcastChannel" in window ? new BroadcastChannel("neptun-playground") : null;
  const written = (result) => (others?.postMessage("written"), result);

  // Keep *document* as *mine* ({id, seen, title}); gives what it is kept as. A conversation that another tab
  // has changed since becomes a second one, instead of being overwritten.
  function put(mine, document) {
    const entry = { id: mine.id, title: mine.title, named: Boolean(mine.named), updated: Date.now() };
    return transaction("readwrite", (list, documents) => {
      list.get(mine.id).onsuccess = (event) => {
        const there = event.target.result;
        if (there && there.updated !== mine.seen) entry.id = newId();
        if (there?.named) Object.assign(entry, { title: there.title, named: true });
        list.put(entry);
        documents.put({ ...document, title: entry.title }, entry.id);
      };
      return entry;
    }).then(written);
  }

  const rename = (id, title) =>
    transaction("readwrite", (list, documents) => {
      list.get(id).onsuccess = (event) => event.target.result && list.put({ ...event.target.result, title, named: true });
      documents.get(id).onsuccess = (event) => event.target.result && documents.put({ ...event.target.result, title }, id);
    }).then(written);

  const remove = (id) =>
    transaction("readwrite", (list, documents) => {
      list.delete(id);
      documents.delete(id);
    }).then(written);

  window.neptun.store = {
    newId,
    put,
    rename,
    remove,
    list: () => transaction("readonly", (list) => list.getAll()).then((all) => all.sort((one, two) => two.updated - one.updated)),
    get: (id) => transaction("readonly", (_, documents) => documents.get(id)),
    // When another tab has written.
    changed: (listener) => others?.addEventListener("message", listener),
  };
})();
