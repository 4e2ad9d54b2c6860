"use strict";
const MOST = 20;
for (const table of document.querySelectorAll("table.long")) {
  const heads = [...table.tHead.rows[0].cells];
  const groups = [...table.tBodies];
  const what = table.dataset.what;
  let all = groups.length <= MOST;
  let wanted = "";
  const make = (name, properties) => Object.assign(document.createElement(name), properties);
  const more = make("button", { type: "button" });
  const show = () => {
    const found = [...table.tBodies].filter((group) => {
      const fits = group.rows[0].cells[0].textContent.toLowerCase().includes(wanted);
      group.hidden = !fits;
      return fits;
    });
    found.slice(MOST).forEach((group) => (group.hidden = !all));
    more.hidden = found.length <= MOST;
    more.textContent = all ? `Show the first ${MOST}` : `Show all ${found.length} ${what}`;
  };
  if (groups.length > MOST) {
    const box = make("input", { type: "search", placeholder: `Filter ${groups.length} ${what}` });
    box.setAttribute("aria-label", `Filter ${what}`);
    box.addEventListener("input", () => {
      wanted = box.value.toLowerCase();
      show();
    });
    more.addEventListener("click", () => {
      all = !all;
      show();
    });
    const tools = make("div", { className: "tools" });
    tools.append(box, more);
    table.parentElement.before(tools);
    show();
  }
  heads.forEach((head, column) => {
    const button = make("button", { type: "button", textContent: head.textContent });
    head.textContent = "";
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") === "descending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const cell = (group) => group.rows[0].cells[column];
      const key = (group) => cell(group).dataset.v ?? cell(group).textContent;
      const number = head.dataset.number !== undefined;
      groups.sort((a, b) => {
        const order = number ? key(a) - key(b) : key(a).localeCompare(key(b));
        return up ? order : -order;
      });
      groups.forEach((group) => table.insertBefore(group, table.tFoot));
      if (groups.length > MOST) show();
    });
  });
}
