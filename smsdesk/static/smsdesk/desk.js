// The desk's own script: SMS counter, insert buttons, shortcuts, calm polling. No inline code anywhere, and
// every page works without it where it is not live by nature.

const GSM = new Set(
  "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà",
);
const GSM_ESCAPED = new Set("\f^{}\\[~]|€");

// --- SMS counter: `data-count` on a textarea, shown in the element with `data-count-for="its id"` --------

/** Encoding, parts and characters left, as carriers bill: an escape pair or a surrogate pair is never split. */
export function measure(text) {
  const characters = [...text.normalize("NFC").replace(/\r\n?/g, "\n")];
  const isGsm = characters.every((one) => GSM.has(one) || GSM_ESCAPED.has(one));
  const width = (one) => (isGsm ? (GSM_ESCAPED.has(one) ? 2 : 1) : one.length);
  const [single, joined] = isGsm ? [160, 153] : [70, 67];
  const units = characters.reduce((sum, one) => sum + width(one), 0);
  const forcing = isGsm ? [] : [...new Set(characters.filter((one) => !GSM.has(one) && !GSM_ESCAPED.has(one)))];
  if (units <= single) return { isGsm, parts: units ? 1 : 0, left: single - units, forcing };
  let parts = 1;
  let used = 0;
  for (const one of characters) {
    if (used + width(one) > joined) {
      parts += 1;
      used = 0;
    }
    used += width(one);
  }
  return { isGsm, parts, left: joined - used, forcing };
}

function words({ isGsm, parts, left, forcing }) {
  const why = forcing.length ? ` because of ${forcing.slice(0, 5).join(" ")}` : "";
  return `${parts} part${parts === 1 ? "" : "s"}, ${left} left · ${isGsm ? "GSM-7" : `UCS-2${why}`}`;
}

const counted = new WeakMap();

function counterOf(area) {
  if (counted.has(area)) return counted.get(area);
  const seen = document.querySelector(`[data-count-for="${CSS.escape(area.id)}"]`) || document.createElement("p");
  if (!seen.isConnected) area.insertAdjacentElement("afterend", seen);
  seen.classList.add("counter");
  const spoken = document.createElement("span");
  spoken.className = "visually-hidden";
  spoken.setAttribute("role", "status");
  seen.insertAdjacentElement("afterend", spoken);
  counted.set(area, { seen, spoken, said: "" });
  return counted.get(area);
}

function count(area) {
  const shown = counterOf(area);
  const size = measure(area.value);
  shown.seen.textContent = words(size);
  const said = `${size.parts} ${size.isGsm}`;
  if (shown.said && shown.said !== said) shown.spoken.textContent = words(size); // told when it matters, not per key
  shown.said = said;
}

// --- Insert and replace buttons: `data-insert="text"` or `data-replace="whole text"`, with `data-into="id"` ---

function write(button) {
  const area = document.getElementById(button.dataset.into);
  if (!area) return;
  if ("replace" in button.dataset) area.value = button.dataset.replace;
  else area.setRangeText(button.dataset.insert, area.selectionStart, area.selectionEnd, "end");
  area.dispatchEvent(new Event("input", { bubbles: true }));
  area.focus();
}

// --- Shortcuts: `data-key="r"` on what is clicked or focused; j and k walk the links of `data-walk` ----------

const STORED = "smsdesk.shortcuts";
const shortcutsAreOn = () => localStorage.getItem(STORED) !== "off";
const isField = (element) => element.matches("textarea, select, input:not([type=checkbox], [type=radio], [type=submit])");
const isTyping = (element) => element instanceof Element && (isField(element) || element.isContentEditable);

function press(event) {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.form && isTyping(event.target)) {
    event.preventDefault();
    event.target.form.requestSubmit();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  if (event.key === "?") return explain();
  if (!shortcutsAreOn() || document.querySelector("dialog[open]")) return;
  if (event.key === "j" || event.key === "k") return walk(event.key === "j" ? 1 : -1, event);
  const aim = [...document.querySelectorAll("[data-key]")].find((one) => one.dataset.key === event.key && !one.disabled);
  if (!aim) return;
  event.preventDefault();
  if (isField(aim)) aim.focus();
  else aim.click();
}

function walk(step, event) {
  const links = [...document.querySelectorAll("[data-walk] a")];
  if (!links.length) return;
  event.preventDefault();
  const marked = links.findIndex((link) => link.matches(":focus"));
  const here = marked >= 0 ? marked : links.findIndex((link) => link.hasAttribute("aria-current"));
  links[Math.min(Math.max(here + step, 0), links.length - 1)].focus();
}

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function explain() {
  const dialog = element("dialog", "", { "aria-label": "Keyboard shortcuts" });
  const list = element("dl", "", { class: "facts" });
  const add = (key, what) => {
    const term = element("dt", "");
    term.append(element("kbd", key));
    list.append(term, element("dd", what));
  };
  for (const one of document.querySelectorAll("[data-key]")) {
    add(one.dataset.key, one.dataset.keyLabel || one.getAttribute("aria-label") || one.textContent.trim() || one.name);
  }
  if (document.querySelector("[data-walk]")) add("j k", "next, previous in the list");
  if (document.querySelector("textarea")) add("Ctrl+Enter", "send what is being typed");
  add("?", "this list");
  const toggle = element("button", "", { type: "button", class: "button quiet" });
  const label = () => (toggle.textContent = shortcutsAreOn() ? "Turn shortcuts off" : "Turn shortcuts on");
  toggle.addEventListener("click", () => {
    localStorage.setItem(STORED, shortcutsAreOn() ? "off" : "on");
    label();
  });
  label();
  const close = element("button", "Close", { type: "button", class: "button" });
  close.addEventListener("click", () => dialog.close());
  const buttons = element("p", "", { class: "toolbar" });
  buttons.append(close, toggle);
  dialog.append(element("h2", "Keyboard shortcuts"), list, buttons);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

// --- Polling: rare when hidden, rarer after errors, 304 where nothing changed --------------------------------

const HIDDEN_EVERY = 30_000;
const LONGEST_BACK_OFF = 60_000;
const polls = new WeakMap(); // element → { last, failures }

const isPoll = (event) => !event.detail.triggeringEvent && (event.detail.elt.getAttribute("hx-trigger") || "").includes("every");

function status(text) {
  const line = document.getElementById("desk-status");
  if (line && line.textContent !== text) line.textContent = text;
}

function pollState(source) {
  if (!polls.has(source)) polls.set(source, { last: 0, failures: 0 });
  return polls.get(source);
}

function beforePoll(event) {
  const source = event.detail.elt;
  if (!(source.getAttribute("hx-trigger") || "").includes("every") || event.detail.requestConfig.triggeringEvent) return;
  const state = pollState(source);
  const rest = Math.max(
    document.hidden ? HIDDEN_EVERY : 0,
    state.failures ? Math.min(4_000 * 2 ** state.failures, LONGEST_BACK_OFF) : 0,
  );
  if (Date.now() - state.last < rest) event.preventDefault();
  else state.last = Date.now();
}

function configure(event) {
  const tag = event.detail.elt.dataset.etag;
  if (tag && isPoll(event)) event.detail.headers["If-None-Match"] = tag;
}

function afterRequest(event) {
  const { elt: source, xhr } = event.detail;
  if (!polls.has(source)) return;
  const state = pollState(source);
  const isFine = xhr.status === 304 || (xhr.status >= 200 && xhr.status < 400);
  state.failures = isFine ? 0 : state.failures + 1;
  if (xhr.status === 200 && xhr.getResponseHeader("ETag")) source.dataset.etag = xhr.getResponseHeader("ETag");
  status(isFine ? "" : "Reconnecting… what you typed is safe.");
}

function beforeSwap(event) {
  // An ended login answers with the login page: say so, and leave what is typed where it is.
  if (!new URL(event.detail.xhr.responseURL || location.href).pathname.endsWith("/login/")) return;
  event.detail.shouldSwap = false;
  const line = document.getElementById("desk-status");
  if (!line || line.querySelector("a")) return;
  line.replaceChildren("Your login has ended. ", element("a", "Log in again", { href: "/admin/login/", target: "_blank" }), ", then go on here.");
}

// --- Threads stay at their end unless somebody scrolled up ----------------------------------------------------

const atEnd = (log) => log.scrollHeight - log.scrollTop - log.clientHeight < 80;
const logs = () => document.querySelectorAll("[role=log]");
const toEnd = (log) => (log.scrollTop = log.scrollHeight);

function wake(root) {
  root.querySelectorAll("textarea[data-count]").forEach(count);
}

document.addEventListener("input", (event) => {
  if (event.target instanceof Element && event.target.matches("textarea[data-count]")) count(event.target);
});
document.addEventListener("click", (event) => {
  const button = event.target instanceof Element && event.target.closest("[data-into]");
  if (button) write(button);
});
document.addEventListener("keydown", press);
document.addEventListener("htmx:beforeRequest", beforePoll);
document.addEventListener("htmx:configRequest", configure);
document.addEventListener("htmx:afterRequest", afterRequest);
document.addEventListener("htmx:beforeSwap", (event) => {
  beforeSwap(event);
  logs().forEach((log) => (log.dataset.end = atEnd(log) ? "yes" : ""));
});
document.addEventListener("htmx:afterSettle", () => {
  wake(document);
  logs().forEach((log) => log.dataset.end && toEnd(log));
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) document.querySelectorAll("[hx-trigger*=every]").forEach((one) => polls.delete(one));
});
wake(document);
logs().forEach(toEnd);
