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
      const broken = found.findings.some(({ severity }) => severity === "error");
      const list = make("ul", { className: broken ? "warnings broken" : "warnings" });
      list.append(...items);
      findings.replaceChildren(items.length ? list : make("p", { className: "good", textContent: "✓ Nothing was found." }));
    } catch {
      findings.replaceChildren();
    }
  };
  const checkSoon = later(300, check);
  const MOST = 1 << 20;
  const say = (...nodes) => {
    refused.replaceChildren(...nodes);
    refused.hidden = !nodes.length;
  };
  // A file becomes the text of the form, where its findings are shown; it is not sent by itself.
  const take = async (files) => {
    const [dropped, ...others] = files;
    if (!dropped) return;
    say();
    if (dropped.size > MOST) return say(`${dropped.name} was not taken: it is longer than 1 MiB.`);
    if (/\.(har|ya?ml|toml|m?js|jmx|py)$/i.test(dropped.name)) {
      return say(
        `${dropped.name} was not taken: a document is JSON. `,
        "ldctl convert makes one of recordings, OpenAPI, and scripts of k6 and JMeter.",
      );
    }
    try {
      text.value = new TextDecoder("utf-8", { fatal: true }).decode(await dropped.arrayBuffer());
    } catch {
      return say(`${dropped.name} was not taken: it is not text in UTF-8, or cannot be read.`);
    }
    if (others.length) say(`${dropped.name} was taken; a run has one document.`);
    const name = form.elements.name;
    if (!name.value || name.value === name.dataset.taken) {
      name.value = dropped.name.replace(/\.json$/i, "").slice(0, 200);
      name.dataset.taken = name.value;
    }
    check();
  };
  const brings = (event) => [...event.dataTransfer.types].includes("Files");

  form.querySelector(".scripted").hidden = false;
  file.addEventListener("change", () => take(file.files));
  text.addEventListener("input", checkSoon);
  form.addEventListener("dragover", (event) => {
    if (!brings(event)) return;
    event.preventDefault();
    form.classList.add("dropping");
  });
  form.addEventListener("dragleave", (event) => {
    if (!form.contains(event.relatedTarget)) form.classList.remove("dropping");
  });
  form.addEventListener("drop", (event) => {
    form.classList.remove("dropping");
    if (!brings(event)) return;
    event.preventDefault();
    take(event.dataTransfer.files);
  });
  // Beside the form, a browser would leave the page for the file.
  for (const kind of ["dragover", "drop"]) {
    document.addEventListener(kind, (event) => brings(event) && event.preventDefault());
  }
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    say();
    const query = new URLSearchParams();
    if (form.elements.name.value.trim()) query.set("name", form.elements.name.value.trim());
    if (Number(form.elements.queue.value) > 0) query.set("queue", form.elements.queue.value);
    try {
      const answer = await fetch(`/api/v1/runs?${query}`, { method: "POST", body: text.value });
      const started = await answer.json();
      if (answer.ok) {
        location.href = `/runs/${started.run}`;
        return;
      }
      const { message, holder } = started.error;
      const why = [`It was not started: ${message}`];
      if (answer.status === 401) why.push(" ", make("a", { href: "/login?to=/", textContent: "Log in again" }));
      if (holder) why.push(" ", make("a", { href: `/runs/${holder}`, textContent: `Look at run ${holder}` }));
      say(...why);
    } catch {
      say("It was not started: the server cannot be reached.");
    }
  });
}
