// Turns the data of an answer into tables: each list of objects is one, with a row per element
// and the values of the elements around it repeated; what stands outside lists is one more.
import { element } from "./dom.js";

const isObject = (v) => v !== null && typeof v === "object" && !Array.isArray(v);
const isRows = (v) => Array.isArray(v) && v.length > 0 && v.every(isObject);
export const isEstimate = (v) => isObject(v) && "value" in v && ["lower", "upper"].some((k) => k in v);

// tablesOf returns [{name, columns, rows}]: rows are Maps from column to value, in which an
// estimate is still an object.
export function tablesOf(data) {
  const tables = new Map();
  const table = (name) => {
    if (!tables.has(name)) tables.set(name, { name, columns: [], rows: [] });
    return tables.get(name);
  };
  const put = (t, row) => {
    for (const column of row.keys()) if (!t.columns.includes(column)) t.columns.push(column);
    t.rows.push(row);
  };

  // flat collects the values of an object into row, and the lists below it into lists.
  function flat(object, prefix, row, lists) {
    for (const [key, value] of Object.entries(object)) {
      const column = prefix ? prefix + "." + key : key;
      if (isRows(value)) lists.push([column, value]);
      else if (Array.isArray(value)) row.set(column, value.map((v) => (isObject(v) || Array.isArray(v) ? JSON.stringify(v) : v)).join("; "));
      else if (isEstimate(value)) row.set(column, value);
      else if (isObject(value)) flat(value, column, row, lists);
      else row.set(column, value);
    }
  }

  function rowsOf(name, list, around) {
    const items = list.map((item) => {
      const own = new Map(), lists = [];
      flat(Object.keys(item).length === 1 && isObject(item.node) ? item.node : item, "", own, lists);
      return { row: new Map([...around, ...own]), lists };
    });
    // A list that is empty in one element and not in another is a table all the same.
    const below = new Set(items.flatMap((i) => i.lists.map(([column]) => column)));
    for (const { row, lists } of items) {
      const empty = [...below].filter((column) => row.get(column) === "");
      for (const column of empty) row.delete(column);
      const label = new Map([...row].filter(([, v]) => !isEstimate(v)));
      for (const [column, elements] of lists) rowsOf(name + " › " + column, elements, label);
      for (const column of empty) put(table(name + " › " + column), label);
      if (lists.length + empty.length === 0) put(table(name), row);
    }
  }

  const roots = [];
  for (const [field, value] of Object.entries(data ?? {})) {
    if (isRows(value)) { rowsOf(field, value, new Map()); continue; }
    if (!isObject(value)) { roots.push([field, new Map([["value", value]])]); continue; }
    const own = new Map(), lists = [];
    flat(value, "", own, lists);
    for (const [below, elements] of lists) rowsOf(field + " › " + below, elements, new Map());
    if (own.size) roots.push([field, own]);
  }
  const result = [];
  if (roots.length) {
    const alike = roots.length > 1 && new Set(roots.map(([, row]) => [...row.keys()].join())).size === 1;
    const t = { name: alike ? "" : "Values", columns: [], rows: [] };
    for (const [field, row] of roots) {
      if (alike) put(t, new Map([["field", field], ...row]));
      else for (const [column, value] of row) put(t, new Map([["field", roots.length > 1 || column === "value" ? field + (column === "value" ? "" : "." + column) : column], ["value", value]]));
    }
    result.push(t);
  }
  return [...result, ...tables.values()].map(tidy);
}

// tidy drops the parts of column names that say nothing: the Relay words.
function tidy(t) {
  return { ...t, name: t.name.split(" › ").map(bare).filter(Boolean).join(" › ") };
}
const bare = (name) => name.split(".").filter((part) => !["nodes", "edges", "node"].includes(part)).join(".");

const number = new Intl.NumberFormat("en");
function written(value) {
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value)) return Math.abs(value) < 10000 ? String(value) : number.format(value);
  if (Math.abs(value) < 1) return value.toFixed(4);
  return number.format(Math.abs(value) >= 1000 ? Math.round(value) : Number(value.toPrecision(4)));
}

// render makes the element of a table.
export function render(t, most = 1000) {
  const spread = new Map();
  for (const column of t.columns) {
    const ends = t.rows.map((r) => r.get(column)).filter(isEstimate).flatMap((e) => [e.lower, e.upper, e.value]).filter((v) => typeof v === "number");
    if (ends.length) {
      const low = Math.min(...ends, 0), high = Math.max(...ends);
      spread.set(column, [low, high > low ? high : low + 1]);
    }
  }
  // Each detail of an estimate besides its value and interval is a column of its own.
  const empty = t.columns.filter((column) => t.rows.every((row) => (row.get(column) ?? null) === null));
  const columns = t.columns.filter((column) => !empty.includes(column)).flatMap((column) => {
    const details = new Set();
    for (const row of t.rows) {
      const v = row.get(column);
      if (isEstimate(v)) for (const key of Object.keys(v)) if (!["value", "lower", "upper", "__typename"].includes(key)) details.add(key);
    }
    const scale = spread.has(column) || t.rows.some((r) => isEstimate(r.get(column)));
    return [{ column, heading: column, scale }, ...[...details].map((detail) => ({ column, detail, heading: column + "." + detail }))];
  });
  const headings = columns.map((c) => c.heading.split(".").filter((part) => !["key", "estimate"].includes(part)).join(" ") || c.column);
  for (const c of columns) c.numeric = t.name !== "Values" && isNumeric(t, c);
  const body = t.rows.slice(0, most).map((row) => element("tr", {}, ...columns.map((c) => cell(row.get(c.column), c, spread.get(c.column)))));
  const made = element("div", { class: "table" },
    t.name && element("h3", {}, t.name, element("span", { class: "muted" }, ` ${t.rows.length} ${t.rows.length === 1 ? "row" : "rows"}`)),
    element("div", { class: "wide", tabindex: "0" },
      element("table", {},
        element("thead", {}, element("tr", {}, ...columns.map((c, i) => element("th", { scope: "col", class: c.numeric && "number" }, headings[i])))),
        element("tbody", {}, ...body))));
  if (empty.length) made.append(element("p", { class: "muted note" }, "Without a value in any row: " + empty.map((c) => c.split(".").filter((part) => !["key", "estimate"].includes(part)).join(" ")).join(", ")));
  if (t.rows.length > most) made.append(element("p", { class: "muted" }, `The first ${most} of ${t.rows.length} rows; the CSV has them all.`));
  return made;
}

function isNumeric(t, c) {
  const values = t.rows.map((row) => (c.detail ? row.get(c.column)?.[c.detail] : row.get(c.column))).filter((v) => v !== null && v !== undefined);
  return values.length > 0 && values.every((v) => typeof v === "number");
}

function cell(value, c, scale) {
  if (c.detail) value = value?.[c.detail];
  if (Array.isArray(value)) value = value.join("; ");
  if (value === undefined || value === null || value === "") return element("td", { class: c.numeric ? "none number" : "none" }, "–");
  if (isEstimate(value) && !c.detail) {
    if (value.value === null) return element("td", { class: "none" }, value.status ?? "–");
    const interval = value.lower !== null && value.upper !== null && value.lower !== undefined && value.upper !== undefined;
    return element("td", { class: "estimate" }, element("div", {},
      element("span", { class: "value" }, written(value.value)),
      interval && element("span", { class: "interval" }, `${written(value.lower)} to ${written(value.upper)}`),
      interval && scale && whisker(value, scale)));
  }
  if (typeof value === "number") return element("td", { class: c.numeric && "number" }, written(value));
  if (typeof value === "string" && value.length > 36) return element("td", { class: "long" }, value);
  return element("td", {}, String(value));
}

// whisker draws an estimate and its interval on the scale of its column.
function whisker({ value, lower, upper }, [low, high]) {
  const svg = (name, attributes) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [k, v] of Object.entries(attributes)) made.setAttribute(k, v);
    return made;
  };
  const x = (v) => (4 + 92 * ((v - low) / (high - low))).toFixed(2);
  const drawing = svg("svg", { class: "whisker", viewBox: "0 0 100 12", width: 84, height: 10, "aria-hidden": "true" });
  drawing.append(
    svg("line", { class: "axis", x1: 4, x2: 96, y1: 6, y2: 6 }),
    svg("line", { class: "range", x1: x(lower), x2: x(upper), y1: 6, y2: 6 }),
    svg("circle", { class: "point", cx: x(value), cy: 6, r: 3 }));
  return drawing;
}

// csv writes the tables, one after the other with an empty line between.
export function csv(tables) {
  const field = (v) => {
    if (v === null || v === undefined) return "";
    if (Array.isArray(v)) v = v.join("; ");
    let text = String(v);
    if (typeof v === "string" && /^[=+\-@\t\r]/.test(text)) text = "'" + text; // a spreadsheet would run it
    return /[",\n\r]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
  };
  return tables.map((t) => {
    const columns = t.columns.flatMap((column) => {
      const parts = new Set();
      let plain = false;
      for (const row of t.rows) {
        const v = row.get(column);
        if (isEstimate(v)) Object.keys(v).forEach((k) => parts.add(k));
        else if (row.has(column)) plain = true;
      }
      return [...(plain || !parts.size ? [{ column, heading: column }] : []), ...[...parts].map((part) => ({ column, part, heading: column + "." + part }))];
    });
    const lines = [columns.map((c) => field(c.heading)), ...t.rows.map((row) => columns.map((c) => {
      const v = row.get(c.column);
      return field(c.part ? (isEstimate(v) ? v[c.part] : undefined) : isEstimate(v) ? undefined : v);
    }))];
    return lines.map((l) => l.join(",")).join("\r\n") + "\r\n";
  }).join("\r\n");
}
