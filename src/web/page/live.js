"use strict";
// Keeps the page of a run as its server draws it. The markup comes from the server, which escapes
// whatever is not its own; nothing is put together here.
const main = document.querySelector("main[data-run]");
const link = document.querySelector(".link");
const said = document.querySelector("[data-said]");
const sections = new Map([...main.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]));
const waiting = new Map();
const opened = new Map();
let judged = "";
let ended = false;

// A person who reads the page aloud hears a verdict when it turns, not each number.
function speak() {
  const verdict = main.querySelector(".verdict");
  const state = main.querySelector("[data-state]")?.dataset.state;
  const now = `${verdict?.className} ${state}`;
  if (judged && judged !== now) said.textContent = `${state}. ${verdict?.textContent ?? ""}`;
  judged = now;
}

// Charts of the names that are open, which are fetched one by one while the test is in progress.
const charts = new Map();

async function chart(details) {
  const row = details.closest("tbody").querySelector(".more > td");
  const query = String(new URLSearchParams({ method: details.dataset.method, name: details.dataset.name }));
  if (charts.has(query)) row.innerHTML = charts.get(query);
  try {
    const answer = await fetch(`/runs/${main.dataset.run}/charts?${query}`);
    if (answer.ok) charts.set(query, await answer.text());
    else if (!charts.has(query)) charts.set(query, '<p class="soft">There are no charts of this name yet.</p>');
    if (row.isConnected) row.innerHTML = charts.get(query);
  } catch {
    // The page says that it is disconnected.
  }
}

function selects(section) {
  const selection = document.getSelection();
  return selection && !selection.isCollapsed && section.contains(selection.anchorNode);
}

function put(name, html) {
  const section = sections.get(name);
  if (!section) return;
  if (selects(section)) {
    waiting.set(name, html);
    return;
  }
  waiting.delete(name);
  const usable = () => [...section.querySelectorAll("button, input, summary, a, pre")];
  const key = (element) => element.tagName + (element.getAttribute("aria-label") ?? element.textContent);
  // What is not there for a moment, as at the end of a test, is open when it is back.
  const open = opened.get(name) ?? new Set();
  opened.set(name, open);
  section.querySelectorAll("details > summary").forEach((summary) => {
    if (summary.parentElement.open) open.add(key(summary));
    else open.delete(key(summary));
  });
  const tables = new Map([...section.querySelectorAll("table.long")].map((table) => [table.dataset.what, table.state]));
  const scrolled = [...section.querySelectorAll(".wide, pre")].map((box) => [box.scrollLeft, box.scrollTop]);
  const active = section.contains(document.activeElement) ? document.activeElement : null;
  const cursor = active?.tagName === "INPUT" ? active.selectionStart : null;
  section.innerHTML = html;
  section.querySelectorAll("table.long").forEach((table) => enhance(table, tables.get(table.dataset.what)));
  section.querySelectorAll("details > summary").forEach((summary) => {
    if (!open.has(key(summary))) return;
    summary.parentElement.open = true;
    if (summary.parentElement.dataset.name !== undefined) chart(summary.parentElement);
  });
  [...section.querySelectorAll(".wide, pre")].forEach((box, place) => {
    if (scrolled[place]) [box.scrollLeft, box.scrollTop] = scrolled[place];
  });
  if (active) {
    const again = usable().find((element) => key(element) === key(active));
    again?.focus({ preventScroll: true });
    if (again && cursor !== null) again.setSelectionRange(cursor, cursor);
  }
}

function tell(text, href) {
  link.hidden = !text;
  if (link.textContent === text) return;
  link.textContent = text;
  if (href) link.append(" ", Object.assign(document.createElement("a"), { href, textContent: "Log in again" }));
}

function connect() {
  const source = new EventSource(main.dataset.live);
  source.addEventListener("open", () => tell(""));
  source.addEventListener("part", (event) => {
    const { part, html } = JSON.parse(event.data);
    put(part, html);
    speak();
  });
  source.addEventListener("end", () => {
    ended = true;
    source.close();
    tell("");
  });
  source.addEventListener("error", () => {
    if (ended) return;
    tell("Disconnected, trying again …");
    // The browser tries again by itself, except after an answer that is none.
    if (source.readyState === EventSource.CLOSED) setTimeout(retry, 1000);
  });
}

async function retry() {
  try {
    const answer = await fetch(`/api/v1/runs/${main.dataset.run}`);
    if (answer.ok) return connect();
    if (answer.status === 401) return tell("The session has ended.", `/login?to=/runs/${main.dataset.run}`);
    if (answer.status === 404) return tell("The server does not know this run any more.");
  } catch {
    // It is not there yet.
  }
  setTimeout(retry, 2000);
}

// Without this the form is sent and the page is loaded again, which forgets what was opened.
async function stop(form) {
  const button = form.querySelector("button");
  button.disabled = true;
  let why = "the server cannot be reached.";
  try {
    const answer = await fetch(`/api/v1/runs/${main.dataset.run}/stop`, { method: "POST" });
    if (answer.ok) return;
    if (answer.status === 401) return tell("The session has ended.", `/login?to=/runs/${main.dataset.run}`);
    why = (await answer.json()).error.message;
  } catch {
    // It is told below.
  }
  button.disabled = false;
  tell(`It was not stopped: ${why}`);
}

main.addEventListener("submit", (event) => {
  if (!main.dataset.live) return;
  event.preventDefault();
  stop(event.target);
});
speak();
// A name is opened; this event does not bubble.
main.addEventListener(
  "toggle",
  ({ target }) => {
    if (target.open && target.dataset.name !== undefined && !target.closest("tbody").querySelector("figure")) chart(target);
  },
  true,
);
document.addEventListener("selectionchange", () => {
  for (const [name, html] of [...waiting]) put(name, html);
});
if (main.dataset.live) connect();
