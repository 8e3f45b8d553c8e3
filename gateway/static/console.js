// What pages need beyond htmx: the focus of forms that open, and the keys [WB10]. One handler; it is silent in fields and
// while an input method composes, and no single key destroys anything.
(function () {
  "use strict";

  document.addEventListener("htmx:afterSwap", function (event) {
    if (event.detail.target.id !== "act" && event.detail.target.id !== "report") return;
    const first = event.detail.target.querySelector("[aria-invalid], input:not([type=hidden]), select, textarea, button");
    if (first) first.focus();
  });

  // What is wider than its box is moved by the keys of who uses no mouse.
  function reachable() {
    document.querySelectorAll(".scroll").forEach(function (box) {
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0; else box.removeAttribute("tabindex");
    });
  }
  window.addEventListener("resize", reachable);

  document.addEventListener("htmx:load", function (event) {
    reachable();
    const undo = event.detail.elt.querySelector ? event.detail.elt.querySelector("[data-undo]") : null;
    if (undo) setTimeout(function () { undo.remove(); }, Number(undo.dataset.undo) * 1000);
  });

  document.addEventListener("click", function (event) {
    if (event.target.closest("[data-close]")) document.getElementById("act").replaceChildren();
  });

  // Live: the server says that something changed, and the parts that show it ask again. Without a stream the page asks now
  // and then; a page nobody looks at asks nothing.
  if ("live" in document.body.dataset) {
    const state = document.body.dataset;
    let stream = null;
    const tell = function () { document.body.dispatchEvent(new Event("live")); };
    const follow = function () {
      if (stream) return;
      stream = new EventSource("/live");
      stream.addEventListener("ready", function () { if (state.live === "away") tell(); state.live = "on"; });
      stream.addEventListener("changed", tell);
      stream.onerror = function () { if (state.live === "on") state.live = "again"; };
    };
    const leave = function () { if (stream) { stream.close(); stream = null; state.live = "away"; } };
    window.addEventListener("pagehide", leave);
    document.addEventListener("visibilitychange", function () { if (document.hidden) leave(); else follow(); });
    setInterval(function () {
      if (document.hidden || state.live === "on") return;
      state.live = "away";
      if (stream && stream.readyState === EventSource.CLOSED) leave();
      follow();
      tell();
    }, 10000);
    follow();
  }
  document.addEventListener("htmx:beforeRequest", function (event) {
    // What is read or filled in is not taken from under the reader.
    const part = event.detail.elt;
    if (part.matches("[data-fresh]") && part.contains(document.activeElement)) event.preventDefault();
  });

  const areas = { t: "/", c: "/complaints", q: "/callbacks", r: "/callbacks/wall", a: "/approvals", o: "/operations" };
  let going = false;

  function typing(target) {
    return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
  }

  function rows() {
    return Array.from(document.querySelectorAll("[data-list] tbody tr[data-href]"));
  }

  function move(step) {
    const all = rows();
    if (!all.length) return;
    const at = all.indexOf(document.activeElement.closest("tr"));
    all[at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + step, 0), all.length - 1)].focus();
  }

  function chosen() {
    return document.activeElement.closest("[data-list] tr[data-href]");
  }

  // A key acts on the chosen row, or on what the page is about: never on a row nobody chose.
  function press(selector) {
    const row = chosen();
    const found = (row && row.querySelector(selector))
      || Array.from(document.querySelectorAll(selector)).find(function (one) { return !one.closest("[data-list] tbody"); });
    if (!found) return false;
    if (typing(found)) found.focus();
    else found.click();
    return true;
  }

  function help() {
    const dialog = document.getElementById("keys");
    if (dialog.open) dialog.close();
    else dialog.showModal();
  }

  const keys = {
    n: function () { if (!press("[data-key=n]")) location.assign("/callbacks/next"); },
    j: function () { move(1); },
    k: function () { move(-1); },
    c: function () { press("[data-act=claim]"); },
    a: function () { press("[data-act=assign], [data-act=offer]"); },
    l: function () { press("[data-key=l], [data-act=contact]"); },
    o: function () { press("[data-key=o]"); },
    p: function () { press("[data-key=p], [data-act=promise]"); },
    e: function () { press("[data-act=dispatch]"); },
    g: function () { going = true; },
    "/": function () { press("[data-key='/'], main form input:not([type=hidden])"); },
    "?": help,
  };

  document.addEventListener("keydown", function (event) {
    if (event.isComposing || event.keyCode === 229 || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && typing(event.target)) return event.target.blur();
    if (typing(event.target) || (document.getElementById("keys") || {}).open) return;
    if (going) {
      going = false;
      if (areas[event.key]) { event.preventDefault(); location.assign(areas[event.key]); }
      return;
    }
    if (event.key === "Enter") {
      const row = event.target.closest("tr[data-href]");
      if (row && event.target === row) { event.preventDefault(); location.assign(row.dataset.href); }
      return;
    }
    if (Object.hasOwn(keys, event.key)) { event.preventDefault(); keys[event.key](); }
  });
})();
