"use strict";
const MOST = 20;
// Makes a long table sortable, and shortens and filters it. The state of a table that it replaces is
// given to it, so that what a reader has chosen stays.
function enhance(table, before) {
  const heads = [...table.tHead.rows[0].cells];
  const groups = [...table.tBodies];
  const what = table.dataset.what;
  const state = Object.assign({ all: false, wanted: "", column: -1, up: false }, before);
  const make = (name, properties) => Object.assign(document.createElement(name), properties);
  const more = make("button", { type: "button" });
  table.state = state;
  const show = () => {
    const found = [...table.tBodies].filter((group) => {
      const fits = group.rows[0].cells[0].textContent.toLowerCase().includes(state.wanted.toLowerCase());
      group.hidden = !fits;
      return fits;
    });
    if (groups.length > MOST) found.slice(MOST).forEach((group) => (group.hidden = !state.all));
    more.hidden = found.length <= MOST;
    more.textContent = state.all ? `Show the first ${MOST}` : `Show all ${found.length} ${what}`;
  };
  const sort = () => {
    const cell = (group) => group.rows[0].cells[state.column];
    const key = (group) => cell(group).dataset.v ?? cell(group).textContent;
    const number = heads[state.column].dataset.number !== undefined;
    heads.forEach((head) => head.removeAttribute("aria-sort"));
    heads[state.column].setAttribute("aria-sort", state.up ? "ascending" : "descending");
    groups.sort((a, b) => {
      const order = number ? key(a) - key(b) : key(a).localeCompare(key(b));
      return state.up ? order : -order;
    });
    groups.forEach((group) => table.insertBefore(group, table.tFoot));
  };
  if (groups.length > MOST) {
    const box = make("input", { type: "search", placeholder: `Filter ${groups.length} ${what}`, value: state.wanted });
    box.setAttribute("aria-label", `Filter ${what}`);
    box.addEventListener("input", () => {
      state.wanted = box.value;
      show();
    });
    more.addEventListener("click", () => {
      state.all = !state.all;
      show();
    });
    const tools = make("div", { className: "tools" });
    tools.append(box, more);
    table.parentElement.before(tools);
  }
  heads.forEach((head, column) => {
    const button = make("button", { type: "button" });
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      state.up = state.column === column && !state.up;
      state.column = column;
      sort();
      if (groups.length > MOST) show();
    });
  });
  if (state.column >= 0) sort();
  if (groups.length > MOST) show();
}
document.querySelectorAll("table.long").forEach((table) => enhance(table));
