// What Gradio draws, mended for those who do not use a mouse or do not see the page.
(() => {
  "use strict";

  const MENDED = {
    // A list whose children are buttons is none.
    ".examples[role=list]": (examples) => examples.setAttribute("role", "group"),
    // A task of a Markdown list: its box says nothing but whether it is ticked.
    "li > input[type=checkbox]:not([aria-label])": (box) =>
      box.setAttribute("aria-label", box.parentElement.textContent.trim().slice(0, 80) || "Task"),
    // The arrow of a folded thought is a button inside of a button that does the same.
    ".thought-group .arrow button:not([disabled])": (arrow) => {
      arrow.setAttribute("aria-hidden", "true");
      arrow.disabled = true;
    },
    ".edit-textarea:not([aria-label])": (box) => box.setAttribute("aria-label", window.neptun.word("edit_message")),
    // What can scroll has to be reached by keyboard.
    ".md :is(pre, .katex-display):not([tabindex])": (wide) => (wide.tabIndex = 0),
  };

  function mend(node) {
    for (const [selector, repair] of Object.entries(MENDED)) {
      if (node.matches(selector)) repair(node);
      node.querySelectorAll(selector).forEach(repair);
    }
  }

  new MutationObserver((changes) => {
    for (const change of changes) {
      for (const node of change.addedNodes) if (node.nodeType === Node.ELEMENT_NODE) mend(node);
    }
  }).observe(document.documentElement, { childList: true, subtree: true });
})();
