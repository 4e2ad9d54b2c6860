"use strict";
// The list of runs stays as the server has it; a document is checked while it is written.
const link = document.querySelector(".link");
const filter = document.querySelector("form.filter");
const form = document.querySelector("form.starting");

function later(wait, work) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, wait);
  };
}

function tell(text, href) {
  link.hidden = !text;
  if (link.textContent === text) return;
  link.textContent = text;
  if (href) link.append(" ", Object.assign(document.createElement("a"), { href, textContent: "Log in again" }));
}

async function refresh() {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.redirected) return tell("The session has ended.", "/login?to=/");
    if (!answer.ok) throw new Error(answer.statusText);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const [old, now] = [document.getElementById("runs"), page.getElementById("runs")];
    const ticked = [...old.querySelectorAll(":checked")].map((box) => box.value);
    const focused = old.contains(document.activeElement) ? document.activeElement : null;
    old.querySelectorAll("input").forEach((box) => (box.checked = false));
    if (old.innerHTML !== now.innerHTML) {
      old.replaceChildren(...now.childNodes);
      const key = (element) => element.tagName + (element.value || element.getAttribute("href"));
      const same = focused && [...old.querySelectorAll("input, a, button")].find((one) => key(one) === key(focused));
      same?.focus({ preventScroll: true });
    }
    old.querySelectorAll("input").forEach((box) => (box.checked = ticked.includes(box.value)));
    tell("");
  } catch {
    tell("Disconnected, trying again …");
  }
}

async function again() {
  await refresh();
  setTimeout(again, 2000);
}

filter.addEventListener(
  "input",
  later(300, () => {
    history.replaceState(null, "", `/?${new URLSearchParams(new FormData(filter))}`);
    refresh();
  }),
);
document.addEventListener("change", (event) => {
  if (event.target.name !== "run") return;
  const ticked = [...document.querySelectorAll("#runs :checked")];
  ticked.filter((box) => box !== event.target).slice(1).forEach((box) => (box.checked = false));
});
setTimeout(again, 2000);

if (form) {
  const text = form.elements.document;
  const findings = document.getElementById("findings");
  const refused = document.getElementById("refused");
  const file = form.querySelector("input[type=file]");
  const make = (name, properties) => Object.assign(document.createElement(name), properties);
  let asked = 0;

  const check = async () => {
    const number = ++asked;
    if (!text.value.trim()) return findings.replaceChildren();
    try {
      const answer = await fetch("/api/v1/lint", { method: "POST", body: text.value });
      const found = await answer.json();
      if (number !== asked) return;
      if (!answer.ok) return findings.replaceChildren(make("p", { className: "bad", textContent: found.error.message }));
      const items = found.findings.map(({ line, severity, message }) =>
        make("li", {
          className: severity === "error" ? "bad" : "warn",
          textContent: `${severity === "error" ? "✗" : "⚠"} Line ${line}: ${message}`,
        }),
      );
      const list = make("ul", { className: "warnings" });
      list.append(...items);
      findings.replaceChildren(items.length ? list : make("p", { className: "good", textContent: "✓ Nothing was found." }));
    } catch {
      findings.replaceChildren();
    }
  };
  const checkSoon = later(300, check);
  const take = async (dropped) => {
    if (!dropped) return;
    text.value = await dropped.text();
    const name = form.elements.name;
    if (!name.value) name.value = dropped.name.replace(/\.json$/i, "").slice(0, 200);
    check();
  };

  form.querySelector(".scripted").hidden = false;
  file.addEventListener("change", () => take(file.files[0]));
  text.addEventListener("input", checkSoon);
  text.addEventListener("dragover", (event) => event.preventDefault());
  text.addEventListener("drop", (event) => {
    const dropped = event.dataTransfer.files[0];
    if (!dropped) return;
    event.preventDefault();
    take(dropped);
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    refused.textContent = "";
    const query = new URLSearchParams();
    if (form.elements.name.value.trim()) query.set("name", form.elements.name.value.trim());
    if (Number(form.elements.queue.value) > 0) query.set("queue", form.elements.queue.value);
    try {
      const answer = await fetch(`/api/v1/runs?${query}`, { method: "POST", body: text.value });
      const started = await answer.json();
      if (answer.ok) location.href = `/runs/${started.run}`;
      else refused.textContent = `It was not started: ${started.error.message}`;
    } catch {
      refused.textContent = "It was not started: the server does not answer.";
    }
  });
}
