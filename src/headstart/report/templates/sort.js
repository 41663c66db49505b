// A click or Enter on a heading of the ranking sorts its rows; a second one turns them round.
const UNITS = { k: 1e3, M: 1e6, B: 1e9, ms: 1e-3, min: 60, h: 3600 };
for (const table of document.querySelectorAll("table.ranking")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const value = (row, column) => {
    const text = row.cells[column].textContent.trim();
    const found = text.replaceAll("\u2212", "-").replaceAll(",", "").match(/-?\d+(\.\d+)?|-?\.\d+/);
    if (heads[column].classList.contains("source")) return text;
    if (!found) return -Infinity;
    const unit = text.slice(text.search(/\d/)).match(/^[\d.,\s]*(ms|min|k|M|B|h)\b/);
    return Number(found[0]) * (unit ? UNITS[unit[1]] : 1);
  };
  heads.forEach((head, column) => {
    if (head.classList.contains("plot-cell")) return;
    const sort = () => {
      const down = head.getAttribute("aria-sort") !== "descending";
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const turn = down ? -1 : 1;
      const rows = [...body.rows].map((row) => [value(row, column), row]);
      rows.sort(([a], [b]) => turn * (typeof a === "string" ? a.localeCompare(b) : a - b));
      body.append(...rows.map(([, row]) => row));
    };
    head.tabIndex = 0;
    head.title = "Sort by this column";
    head.classList.add("sorts");
    head.addEventListener("click", sort);
    head.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(); });
  });
}
