"use strict";
const FIRST = 200;  // rows that are shown before more are asked for
const home = document.currentScript, wanted = new URLSearchParams(location.hash.slice(1));

function make(name, text, parent, more) {
  const node = Object.assign(document.createElement(name), more);
  if (text !== undefined) node.textContent = text;
  if (parent) parent.append(node);
  return node;
}

function read(id) { return id ? JSON.parse(document.getElementById(id).textContent) : null; }

function rowsOf(table) {
  const data = read(table.dataset.rows);
  if (data) return data.rows.map((cells, place) => ({ place, cells: cells.map(([text, value, href, bad]) => ({ text, value, href, bad })) }));
  return [...table.tBodies[0].rows].map((line, place) => ({
    place, line,
    cells: [...line.cells].map(c => ({ text: c.textContent, value: c.dataset.value === undefined ? null : Number(c.dataset.value) })),
  }));
}

function built(row, columns) {
  if (row.line) return row.line;
  row.line = make("tr");
  row.cells.forEach((c, k) => {
    const cell = make("td", c.href ? undefined : c.text, row.line, { className: (columns[k].numeric ? "number " : c.text.length > 32 ? "name " : "") + (c.bad ? "slower" : "") });
    if (c.href) make("a", c.text, cell, { href: c.href });
  });
  return row.line;
}

function enhance(table, first) {
  const head = table.tHead.rows[0], body = table.tBodies[0], rows = rowsOf(table), quoted = read(table.dataset.quoted);
  const columns = [...head.cells].map(c => ({ name: c.textContent, numeric: c.classList.contains("number"), choice: "choice" in c.dataset }));
  const region = table.closest(".scroll"), tools = make("div", undefined, undefined, { className: "tools" });
  tools.hidden = rows.length < 3;
  region.before(tools);
  let limit = FIRST, sorted = -1, rising = true;
  const search = make("input", undefined, make("label", "filter ", tools), { type: "search" });
  const selects = columns.flatMap((c, k) => {
    const values = c.choice ? [...new Set(rows.map(r => r.cells[k].text))].sort() : [];
    if (values.length < 2) return [];
    const select = make("select", undefined, make("label", c.name + " ", tools));
    make("option", "all", select, { value: "" });
    values.forEach(v => make("option", v, select, { value: v }));
    return [[select, k]];
  });
  const more = make("button", "show all", tools, { type: "button" }), said = make("span", "", tools);
  said.setAttribute("role", "status");

  function show() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const hits = rows.filter(r => {
      r.text ??= r.cells.map(c => c.text).join(" ").toLowerCase();
      return words.every(w => r.text.includes(w)) && selects.every(([s, k]) => !s.value || s.value === r.cells[k].text);
    });
    body.replaceChildren(...hits.slice(0, limit).map(r => built(r, columns)));
    more.hidden = hits.length <= limit;
    said.textContent = `${Math.min(hits.length, limit)} of ${rows.length} rows`;
  }

  function order(k, up) {
    rising = up ?? (k === sorted ? !rising : true);
    sorted = k;
    const key = r => columns[k].numeric ? r.cells[k].value : r.cells[k].text;
    const empty = v => v === null || v === "" || v === "—";
    rows.sort((a, b) => {
      const [x, y] = [key(a), key(b)];
      if (empty(x) || empty(y)) return empty(x) - empty(y);
      const way = columns[k].numeric ? x - y : String(x).localeCompare(String(y), undefined, { numeric: true });
      return rising ? way : -way;
    });
    [...head.cells].slice(0, columns.length).forEach((c, i) => c.setAttribute("aria-sort", i !== k ? "none" : rising ? "ascending" : "descending"));
    show();
  }

  function remember() {
    if (!first) return;
    const state = new URLSearchParams();
    if (search.value) state.set("q", search.value);
    if (sorted >= 0) state.set("sort", (rising ? "" : "-") + columns[sorted].name);
    selects.forEach(([s, k]) => { if (s.value) state.set(columns[k].name, s.value); });
    history.replaceState(null, "", "#" + state);
  }

  columns.forEach((c, k) => {
    const cell = head.cells[k], button = make("button", c.name, undefined, { type: "button" });
    cell.replaceChildren(button);
    button.addEventListener("click", () => { order(k); remember(); });
  });
  search.addEventListener("input", () => { show(); remember(); });
  selects.forEach(([s]) => s.addEventListener("change", () => { show(); remember(); }));
  more.addEventListener("click", () => { limit = Infinity; show(); });
  if (quoted) act(table, rows, columns, quoted, region);
  if (first) {
    search.value = wanted.get("q") ?? "";
    selects.forEach(([s, k]) => { s.value = wanted.get(columns[k].name) ?? ""; });
    const by = wanted.get("sort") ?? "", k = columns.findIndex(c => c.name === by.replace(/^-/, ""));
    if (k >= 0) { order(k, !by.startsWith("-")); return; }
  }
  show();
}

function act(table, rows, columns, quoted, region) {
  make("th", "compare, cite", table.tHead.rows[0], { scope: "col", className: "act" });
  const panel = make("div");
  panel.setAttribute("role", "status");
  region.after(panel);
  const chosen = [];
  for (const row of rows) {
    const cell = make("td", undefined, row.line, { className: "act" }), name = quoted.rows[row.place].name;
    const box = make("input", undefined, cell, { type: "checkbox" });
    box.setAttribute("aria-label", `compare ${name}`);
    box.addEventListener("change", () => {
      if (box.checked) chosen.push([row, box]); else chosen.splice(chosen.findIndex(([r]) => r === row), 1);
      if (chosen.length > 2) chosen.shift()[1].checked = false;
      compare(panel, chosen.map(([r]) => r), columns, quoted);
    });
    const button = make("button", "cite", cell, { type: "button" });
    button.setAttribute("aria-label", `cite ${name}`);
    button.addEventListener("click", () => cite(quoted.rows[row.place], row, columns));
  }
}

function compare(panel, two, columns, quoted) {
  panel.replaceChildren();
  if (two.length < 2) return;
  const [a, b] = two, names = two.map(r => quoted.rows[r.place].name), found = quoted.pairs[`${a.place},${b.place}`];
  make("p", found ? `${names[1]} against ${names[0]}: ${found}` : `${names[1]} and ${names[0]} were not measured in the same blocks, so there is no ratio.`, panel);
  const table = make("table", undefined, panel), head = make("tr", undefined, make("thead", undefined, table)), body = make("tbody", undefined, table);
  ["both", ...names].forEach(n => make("th", n, head, { scope: "col" }));
  columns.forEach((c, k) => {
    const line = make("tr", undefined, body);
    make("th", c.name, line, { scope: "row" });
    two.forEach(r => make("td", r.cells[k].text, line));
  });
}

function cite(quote, row, columns) {
  const dialog = make("dialog", undefined, document.body);
  dialog.setAttribute("aria-label", `cite ${quote.name}`);
  make("h2", quote.name, dialog);
  const shut = make("button", "close", dialog, { type: "button" });
  const part = (name, text) => { make("h3", name, dialog); const p = make("pre", text, dialog, { tabIndex: 0 }); p.setAttribute("aria-label", name); };
  columns.forEach((c, k) => part(c.name, `text   ${row.cells[k].text}\nLaTeX  ${quote.latex[k]}\nCSV    ${c.name},"${row.cells[k].text.replaceAll('"', '""')}"${row.cells[k].value === null ? "" : `,${row.cells[k].value}`}`));
  part("BibTeX", quote.bib);
  make("h3", "records", dialog);
  const list = make("ul", undefined, dialog), root = home.dataset.root ?? "../";
  quote.links.forEach(l => { const item = make("li", undefined, list); make("a", l, item, { href: `${root}records/${l}.html` }); item.append(", "); make("a", "JSON Lines", item, { href: `${root}records/${l}.jsonl`, download: "" }); });
  shut.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
}

document.querySelectorAll("table.rows").forEach((table, k) => enhance(table, k === 0));
