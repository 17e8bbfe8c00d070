// The handset page: every handset polls its thread, the panels poll what happened. No framework, no outside request.
const CHIPS = ["JOIN", "STOP", "HELP", "WIN", "BIG10"];
const NOT_ON_THE_PHONE = ["undelivered", "expired", "rejected", "opted_out"];
const WORDS = {
  accepted: ["waiting for its receipt", "wait"], sent: ["on its way", "wait"], delivered: ["delivered", "ok"],
  undelivered: ["undelivered: not on the phone", "bad"], expired: ["expired: not on the phone", "bad"],
  rejected: ["rejected: not on the phone", "bad"], opted_out: ["blocked as opted out: not on the phone", "bad"],
};
const HEARD = {
  sent: ["waiting for the desk's answer", "wait"], delivered: ["the desk has it", "ok"],
  undelivered: ["the desk did not take it, tried again", "bad"],
};
const PRESETS = {
  none: {}, slow: { latency_ms: 2000, receipt_delay_ms: 8000 },
  busy: { rate_429: 0.3 }, lost: { rate_accept_then_timeout: 0.3 },
};
const PERCENT = /^rate_/;
const $ = (id) => document.getElementById(id);
const handsets = new Map();
let names = new Map();
let accounts = [];
let lastHappening = 0;

function element(tag, classes = "", text = "") {
  const made = document.createElement(tag);
  if (classes) made.className = classes;
  if (text) made.textContent = text;
  return made;
}

async function call(path, body) {
  const options = body === undefined ? {} : {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  };
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    connected(false);
    throw new Error("The simulator does not answer.");
  }
  connected(true);
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error);
  return found;
}

function connected(is) {
  $("state").textContent = is ? "on the air" : "no answer, trying again";
  $("state").classList.toggle("lost", !is);
}

function complain(message) {
  $("problem").textContent = message;
  $("problem").hidden = !message;
}

// Repeats `look` every `seconds`, six times as rarely while the page is hidden; never two at once.
function poll(look, seconds) {
  let timer = 0, stopped = false;
  async function round() {
    clearTimeout(timer);
    try { await look(); } catch { /* shown by connected() */ }
    if (!stopped) timer = setTimeout(round, seconds * (document.hidden ? 6000 : 1000));
  }
  round();
  return { now: round, stop() { stopped = true; clearTimeout(timer); } };
}

const clean = (number) => `+${number.replace(/[^0-9]/g, "")}`;
const clock = (at) => new Date(at * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });

// --- one handset -------------------------------------------------------------------------------------

class Handset {
  constructor(number) {
    this.number = number;
    this.after = 0;
    this.rows = new Map();
    this.root = $("handset").content.firstElementChild.cloneNode(true);
    this.thread = this.root.querySelector(".thread");
    this.select = this.root.querySelector("select");
    this.thread.setAttribute("aria-label", `Messages of ${number}`);
    this.root.querySelector(".close").setAttribute("aria-label", `Put ${number} down`);
    this.root.querySelector(".close").addEventListener("click", () => close(number));
    this.empty = element("p", "empty", "No messages yet. Text JOIN, or send something from the desk.");
    this.thread.append(this.empty);
    for (const word of CHIPS) this.chip(word, word);
    this.chip("When will it arrive?", "when will it arrive?");
    const form = this.root.querySelector("form");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = form.elements.text.value;
      if (text.trim()) this.say(text).then((said) => { if (said) form.reset(); });
    });
    this.label();
    this.offer();
    this.polling = poll(() => this.look(), 1);
  }

  chip(label, text) {
    const made = element("button", "", label);
    made.type = "button";
    made.addEventListener("click", () => this.say(text));
    this.root.querySelector(".chips").append(made);
  }

  label() {
    const name = names.get(this.number);
    this.root.querySelector("h2").textContent = name || this.number;
    this.root.querySelector(".who p").textContent = name ? this.number : "handset";
  }

  // Which of the desk's senders this handset texts to.
  offer() {
    const chosen = this.select.value;
    const options = accounts.flatMap((account) => account.senders.filter((sender) => /^\+?[0-9]{3,}$/.test(sender)).map((sender) => {
      const option = element("option", "", `${sender} · ${account.name}`);
      option.value = JSON.stringify([account.name, sender]);
      return option;
    }));
    if (!options.length) options.push(element("option", "", "no sender known yet"));
    this.select.replaceChildren(...options);
    this.select.disabled = options[0].value === "no sender known yet";
    if (chosen && options.some((option) => option.value === chosen)) this.select.value = chosen;
  }

  async say(text) {
    if (this.select.disabled) { complain("No sender to text to: the simulator knows no account yet."); return false; }
    const [account, to] = JSON.parse(this.select.value);
    complain("");
    const posting = call("/control/inbound", { account, to, from: this.number, text });
    setTimeout(() => this.polling.now(), 80);
    posting.then(() => this.polling.now(), (error) => complain(error.message));
    return true;
  }

  async look() {
    const found = await call(`/phones/${encodeURIComponent(this.number)}/messages?after=${this.after}`);
    const nearEnd = this.thread.scrollHeight - this.thread.scrollTop - this.thread.clientHeight < 80;
    for (const message of found.messages) {
      this.after = Math.max(this.after, message.version);
      this.show(message);
    }
    if (found.messages.length && nearEnd) this.thread.scrollTop = this.thread.scrollHeight;
  }

  show(message) {
    this.empty.remove();
    let row = this.rows.get(message.id);
    if (!row) {
      row = element("div", "text");
      const bubble = element("div", "bubble");
      bubble.dir = "auto";
      linkify(bubble, message.text);
      row.append(bubble, element("p", "meta"));
      if (!message.mine && message.callback) row.append(receiptControls(message, this));
      this.rows.set(message.id, row);
      this.thread.append(row);
      this.prefer(message);
    }
    row.className = `text${message.mine ? " mine" : ""}${!message.mine && NOT_ON_THE_PHONE.includes(message.word) ? " missing" : ""}`;
    row.querySelector(".meta").replaceChildren(...meta(message));
  }

  // A reply goes to whoever wrote last, as on a phone; a name cannot be texted, so to a number of the same account.
  prefer(message) {
    if (this.select.disabled || document.activeElement === this.select) return;
    const offered = [...this.select.options].map((option) => JSON.parse(option.value));
    const [chosenAccount] = JSON.parse(this.select.value);
    const same = offered.find(([account, sender]) => account === message.account && sender === message.sender);
    const near = chosenAccount !== message.account && offered.find(([account]) => account === message.account);
    if (same || near) this.select.value = JSON.stringify(same || near);
  }
}

function meta(message) {
  const [word, mood] = (message.mine ? HEARD : WORDS)[message.word] || [message.word, "wait"];
  const encoding = message.encoding === "gsm7" ? "GSM\u20117" : "UCS\u20112";
  const parts = `${message.parts} ${message.parts === 1 ? "part" : "parts"}`;
  const sender = element("b", "", message.mine ? `to ${message.sender}` : message.sender);
  const note = message.note ? ` · ${message.note}` : "";
  return [sender, ` · ${clock(message.at)} · ${encoding}, ${parts}${note} · `, element("span", mood, word)];
}

function linkify(bubble, text) {
  for (const piece of text.split(/(https?:\/\/[^\s<>"]+[^\s<>".,;:!?)\]])/)) {
    if (!/^https?:\/\//.test(piece)) { bubble.append(piece); continue; }
    const link = element("a", "", piece);
    link.href = piece;
    link.target = "_blank";
    link.rel = "noopener noreferrer";
    bubble.append(link);
  }
}

function receiptControls(message, handset) {
  const details = element("details", "receipt");
  const buttons = element("div");
  for (const [word, label] of [["delivered", "Delivered"], ["undelivered", "Undelivered"], ["expired", "Expired"], ["rejected", "Rejected"], ["sent", "Late “sent”"]]) {
    const button = element("button", "quiet", label);
    button.type = "button";
    button.addEventListener("click", () => call("/control/receipts", { reference: message.id, status: word })
      .then(() => handset.polling.now(), (error) => complain(error.message)));
    buttons.append(button);
  }
  details.append(element("summary", "", "Send a receipt"), buttons);
  return details;
}

// --- which handsets are open: the address says it, so a reload keeps them ------------------------------

function open(number) {
  if (handsets.has(number)) {
    handsets.get(number).root.querySelector("input").focus();
    return;
  }
  const handset = new Handset(number);
  handsets.set(number, handset);
  $("phones").querySelector(":scope > .empty")?.remove();
  $("phones").append(handset.root);
  remember();
}

function close(number) {
  const handset = handsets.get(number);
  handset.polling.stop();
  handset.root.remove();
  handsets.delete(number);
  if (!handsets.size) $("phones").append(element("p", "empty", "No handset in hand. Pick one from the phone book, or type a number."));
  remember();
  $("number").focus();
}

function remember() {
  history.replaceState(null, "", `#${[...handsets.keys()].join(",")}`);
  for (const button of $("book").children) button.setAttribute("aria-pressed", String(handsets.has(button.value)));
}

$("open").addEventListener("submit", (event) => {
  event.preventDefault();
  const number = clean($("number").value);
  if (!/^\+[1-9][0-9]{6,14}$/.test(number)) {
    complain("That is no international number: write it like +1 202 555 0123.");
    $("number").focus();
    return;
  }
  complain("");
  open(number);
  $("open").reset();
});

// --- phone book, happenings, faults -------------------------------------------------------------------

async function lookAround() {
  const state = await call("/phones/state");
  accounts = state.accounts;
  const book = [...state.phones, ...state.magic];
  names = new Map(book.filter((entry) => entry.name).map((entry) => [entry.number, entry.name]));
  const listed = new Set(book.map((entry) => entry.number));
  const recent = state.recent.filter((number) => !listed.has(number)).slice(0, 12);
  fillBook([...book, ...recent.map((number) => ({ number, name: "" }))]);
  if (state.desk) { $("desk").href = state.desk; $("desk").hidden = false; }
  for (const handset of handsets.values()) { handset.label(); handset.offer(); }
}

function fillBook(entries) {
  const key = JSON.stringify(entries);
  if ($("book").dataset.key === key) return;
  $("book").dataset.key = key;
  $("book").replaceChildren(...entries.map((entry) => {
    const button = element("button", "", entry.name || entry.number);
    button.type = "button";
    button.value = entry.number;
    button.append(element("small", "", entry.name ? entry.number : "lately in touch"));
    button.setAttribute("aria-pressed", String(handsets.has(entry.number)));
    button.addEventListener("click", () => open(entry.number));
    return button;
  }));
}

async function lookAtHappenings() {
  const { happenings } = await call(`/control/happenings?after=${lastHappening}`);
  for (const row of happenings) {
    lastHappening = Math.max(lastHappening, row.n);
    const item = element("li");
    const said = element("span", "said", row.text);
    said.append(element("time", "", clock(row.at)));
    const mood = /^2/.test(row.status) ? "" : /^(429|hang|4)/.test(row.status) ? " wait" : " bad";
    item.append(element("span", "kind", row.kind), said, element("span", `pill${mood}`, row.status));
    $("happenings").prepend(item);
  }
  while ($("happenings").children.length > 80) $("happenings").lastElementChild.remove();
  $("nothing").hidden = $("happenings").children.length > 0;
}

const PLAIN = { latency_ms: 0, receipt_delay_ms: 500, receipts: true };
function isPreset(faults, preset) {
  return Object.entries(faults).every(([name, value]) =>
    !(name in PLAIN || PERCENT.test(name)) || value === { ...PLAIN, ...preset }[name] || (!value && !(name in preset) && PERCENT.test(name)));
}

function showFaults(faults) {
  for (const field of $("faults").elements) {
    if (!field.name || document.activeElement === field) continue;
    if (field.type === "checkbox") field.checked = faults[field.name];
    else field.value = PERCENT.test(field.name) ? Math.round(faults[field.name] * 1e4) / 100 : faults[field.name];
  }
  const on = Object.entries(faults).filter(([name, value]) => PERCENT.test(name) && value > 0).length
    + (faults.latency_ms > 0) + !faults.receipts;
  $("faults-state").textContent = on ? `${on} on` : "none";
  $("faults-state").classList.toggle("wait", on > 0);
  for (const button of document.querySelectorAll("[data-preset]")) {
    button.setAttribute("aria-pressed", String(isPreset(faults, PRESETS[button.dataset.preset])));
  }
}

const setFaults = (values) => call("/control/faults", values).then(showFaults, (error) => complain(error.message));

for (const button of document.querySelectorAll("[data-preset]")) {
  button.addEventListener("click", () => setFaults({ reset: true, ...PRESETS[button.dataset.preset] }));
}
$("faults").addEventListener("submit", (event) => {
  event.preventDefault();
  const values = {};
  for (const field of $("faults").elements) {
    if (!field.name) continue;
    values[field.name] = field.type === "checkbox" ? field.checked : Number(field.value) / (PERCENT.test(field.name) ? 100 : 1);
  }
  document.activeElement.blur();
  setFaults(values);
});

// --- begin ------------------------------------------------------------------------------------------

try { await lookAround(); } catch { /* polled below */ }
const wanted = decodeURIComponent(location.hash.slice(1)).split(",").map(clean).filter((number) => number.length > 7);
const first = [...$("book").children].map((button) => button.value);
for (const number of wanted.length ? wanted : first.slice(0, innerWidth > 1150 ? 2 : 1)) open(number);
poll(lookAround, 3);
poll(lookAtHappenings, 1);
poll(() => call("/control/faults").then(showFaults), 4);
