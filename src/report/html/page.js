"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.textContent = "";
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") === "descending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const key = (row) => row.cells[column].dataset.v ?? row.cells[column].textContent;
      const number = head.dataset.number !== undefined;
      const rows = [...table.tBodies[0].rows];
      rows.sort((a, b) => {
        const order = number ? key(a) - key(b) : key(a).localeCompare(key(b));
        return up ? order : -order;
      });
      table.tBodies[0].append(...rows);
    });
  });
}
