// Shows each snapshot as it comes. Names are a target's: they become text, never markup.
"use strict";

const SVG = "http://www.w3.org/2000/svg";
const MOST_ROWS = 100;
// In units of the drawing.
const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [720, 180, 56, 18, 14];

const at = (id) => document.getElementById(id);

function count(number) {
  return Number(number).toLocaleString("en");
}

function millis(number) {
  if (number === null || number === undefined) return "–";
  if (number >= 10000) return (number / 1000).toFixed(1) + " s";
  return number.toFixed(number < 10 ? 2 : number < 100 ? 1 : 0) + " ms";
}

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function drawn(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function card(label, value) {
  const made = element("div", "");
  made.className = "card";
  made.append(element("span", label), element("b", value));
  return made;
}

function cards(snapshot) {
  const { totals, latency_overall: overall } = snapshot;
  at("cards").replaceChildren(
    card("Requests", count(totals.requests)),
    card("Requests per second, recently", snapshot.rps.toFixed(1)),
    card("Mean latency, recently", millis(snapshot.avg_ms)),
    card("Failures", count(totals.failures)),
    card("Failure rate", (100 * totals.failure_rate).toFixed(2) + " %"),
    card("p50", millis(overall.p50_ms)),
    card("p95", millis(overall.p95_ms)),
    card("p99", millis(overall.p99_ms)),
  );
}

// A line for each kind; where a second has no value, the line has a gap.
function chart(place, title, windows, kinds, format) {
  const values = windows.flatMap((window) => kinds.map((kind) => window[kind.key] ?? 0));
  const top = Math.max(...values, 0) || 1;
  const x = (index) => LEFT + ((WIDTH - LEFT) * index) / Math.max(windows.length - 1, 1);
  const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top);
  const svg = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
  svg.append(drawn("title", {}, title));
  for (const part of [0, 0.5, 1]) {
    svg.append(
      drawn("line", { x1: LEFT, x2: WIDTH, y1: y(part * top), y2: y(part * top) }),
      drawn("text", { x: LEFT - 6, y: y(part * top) + 4, "text-anchor": "end" }, format(part * top)),
    );
  }
  for (const [index, kind] of kinds.entries()) {
    let points = [];
    const end = () => {
      // A single point is drawn as a short line.
      if (points.length === 1) points.push(points[0].replace(/^[^,]*/, (left) => Number(left) + 1));
      if (points.length > 0) svg.append(drawn("polyline", { class: kind.name, points: points.join(" ") }));
      points = [];
    };
    windows.forEach((window, second) => {
      const value = window[kind.key];
      if (value === null || value === undefined) return end();
      points.push(`${x(second).toFixed(1)},${y(value).toFixed(1)}`);
    });
    end();
    svg.append(drawn("text", { class: kind.name, x: LEFT + 60 * index, y: HEIGHT - 2 }, kind.name));
  }
  place.replaceChildren(svg);
}

function names(perName) {
  const all = Object.entries(perName);
  all.sort((one, other) => other[1].count - one[1].count);
  const rows = all.slice(0, MOST_ROWS).map(([name, row]) => {
    const made = element("tr", "");
    const cells = [row.mean_ms, row.p50_ms, row.p95_ms, row.p99_ms, row.max_ms].map(millis);
    made.append(...[name, count(row.count), ...cells].map((text) => element("td", text)));
    return made;
  });
  at("names").replaceChildren(...rows);
  const further = all.length - rows.length;
  at("further").textContent = further > 0 ? `${further} further names are in the snapshot` : "";
}

function show(snapshot) {
  cards(snapshot);
  // The second in progress has too few requests to compare.
  const windows = snapshot.latency_windows.slice(0, -1);
  const latencies = ["p50", "p95", "p99"].map((name) => ({ name, key: name + "_ms" }));
  chart(at("latency"), "Latency by the second", windows, latencies, millis);
  chart(at("rate"), "Requests per second", windows, [{ name: "rate", key: "rps" }], (rate) => rate.toFixed(rate < 10 ? 1 : 0));
  names(snapshot.per_name);
  at("updated").textContent = "Updated " + new Date(snapshot.ts * 1000).toLocaleTimeString();
}

function state(text, kind) {
  at("state").textContent = text;
  at("state").className = kind;
}

let retry = 0;

function follow() {
  const events = new EventSource("events");
  events.onopen = () => state("live", "live");
  events.onmessage = (event) => {
    state("live", "live");
    show(JSON.parse(event.data));
  };
  events.onerror = () => {
    state("disconnected, trying again", "lost");
    // A browser gives up where the response was an error.
    if (events.readyState === EventSource.CLOSED) {
      clearTimeout(retry);
      retry = setTimeout(follow, 2000);
    }
  };
}

follow();
