// The console: asks what is in the editors and shows what comes back.
import { element, tabs } from "./dom.js";
import { editor } from "./editor.js";
import { graphqlTokens, jsonTokens, layOut, operations } from "./lexer.js";
import { documentation } from "./docs.js";
import { csv, render, tablesOf } from "./table.js";

const $ = (id) => document.getElementById(id);
const { examples } = JSON.parse($("settings").textContent);
const endpoint = new URL("graphql", document.baseURI);
const draftKey = "kvarter.draft", historyKey = "kvarter.history";

// ask sends one request; it rejects only if no answer came.
async function ask(query, variables, operationName, signal) {
  const start = performance.now();
  const response = await fetch(endpoint, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/graphql-response+json" },
    body: JSON.stringify({ query, variables, operationName }),
    signal,
  });
  const text = await response.text();
  let result;
  try {
    result = JSON.parse(text);
  } catch {
    throw new Error(`the server answered with ${response.status} and no JSON: ${text.slice(0, 200)}`);
  }
  return { result, status: response.status, ms: performance.now() - start, bytes: new Blob([text]).size, id: response.headers.get("X-Request-Id") };
}

// Storage may be refused; the console then forgets, and works.
const stored = {
  read(key) { try { return JSON.parse(sessionStorage.getItem(key)); } catch { return null; } },
  write(key, value) { try { sessionStorage.setItem(key, JSON.stringify(value)); } catch { /* forgotten */ } },
};

// --- the question

let running = null;
const query = editor($("query-editor"), { label: "GraphQL query", tokens: graphqlTokens, onRun: run, onInput: changed });
const variables = editor($("variables-editor"), { label: "Variables, a JSON object", tokens: jsonTokens, onRun: run, onInput: changed });

function changed() {
  const names = operations(query.value).filter(Boolean);
  const chosen = $("operation").value;
  $("operation").hidden = names.length < 2;
  $("operation").replaceChildren(...names.map((n) => element("option", { value: n, selected: n === chosen }, n)));
  const problem = readVariables().problem;
  $("variables-message").textContent = problem ?? "";
  $("variables-message").className = problem ? "problem" : "";
  stored.write(draftKey, { query: query.value, variables: variables.value });
}

// readVariables returns {value} or {problem}, a message with line and column.
function readVariables() {
  const text = variables.value;
  if (!text.trim()) return { value: undefined };
  let value;
  try {
    value = JSON.parse(text);
  } catch (failure) {
    const at = Number(/position (\d+)/.exec(failure.message)?.[1] ?? NaN);
    if (Number.isNaN(at)) return { problem: "Not JSON: " + failure.message };
    const before = text.slice(0, at).split("\n");
    return { problem: `Not JSON, line ${before.length}, column ${before.at(-1).length + 1}: ${failure.message.replace(/ (in JSON )?at position.*/, "")}`, line: before.length };
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) return { problem: 'Must be an object such as { "year": 2016 }' };
  return { value };
}

async function run() {
  if (running) { running.abort(); return; }
  const { value, problem, line } = readVariables();
  if (problem) {
    showErrors([{ message: "Variables: " + problem }]);
    if (line) variables.goTo(line);
    return;
  }
  const text = query.value;
  const operation = $("operation").hidden ? undefined : $("operation").value;
  running = new AbortController();
  $("run").textContent = "Stop";
  $("run").classList.add("running");
  $("status").textContent = "Asking";
  history.replaceState(null, "", linkTo(text, variables.value));
  remember(text, variables.value);
  try {
    show(await ask(text, value, operation, running.signal));
  } catch (failure) {
    show(null);
    $("status").textContent = failure.name === "AbortError" ? "Stopped" : "No answer";
    if (failure.name !== "AbortError") showErrors([{ message: failure instanceof TypeError ? "The server does not answer at " + endpoint + ". Is it running?" : failure.message }]);
  } finally {
    running = null;
    $("run").textContent = "Run";
    $("run").classList.remove("running");
  }
}

// --- the answer

let last = null, tables = [];

function show(answer) {
  last = answer?.result ?? null;
  tables = tablesOf(last?.data);
  $("csv").disabled = tables.length === 0;
  $("copy").disabled = !last;
  $("json").replaceChildren();
  $("table").replaceChildren();
  showErrors(last?.errors ?? []);
  if (!answer) return;
  const rows = tables.reduce((n, t) => n + t.rows.length, 0);
  $("status").replaceChildren(
    element("span", { class: last.errors ? "outcome problem" : "outcome" }, last.errors ? (last.errors.length === 1 ? "1 error" : last.errors.length + " errors") : "OK"),
    `${Math.round(answer.ms)} ms · ${size(answer.bytes)} · ${rows} ${rows === 1 ? "row" : "rows"}`);
  $("status").title = `HTTP ${answer.status}, request ${answer.id}`;
  const text = JSON.stringify(last, null, 2);
  paintJSON($("json"), text);
  if (tables.length) $("table").append(...tables.map((t) => render(t)));
  else if (!last.errors) $("table").append(element("p", { class: "empty" }, "The answer holds no values."));
}

function size(bytes) {
  return bytes < 1000 ? bytes + " B" : bytes < 1e6 ? (bytes / 1000).toFixed(1) + " kB" : (bytes / 1e6).toFixed(1) + " MB";
}

function paintJSON(host, text) {
  if (text.length > 300_000) { host.textContent = text; return; } // colours would be slow
  let end = 0;
  for (const token of jsonTokens(text)) {
    host.append(text.slice(end, token.at), element("span", { class: "t-" + token.kind }, token.text));
    end = token.at + token.text.length;
  }
  host.append(text.slice(end));
}

function showErrors(errors) {
  const alike = new Map(); // the same error in many places is shown once
  for (const e of errors) {
    const key = e.extensions?.code + " " + e.message;
    alike.set(key, [...(alike.get(key) ?? []), e]);
  }
  const place = (e) => element("span", { class: "where" },
    e.path && element("code", {}, e.path.join(" › ")),
    ...(e.locations ?? []).slice(0, 1).map((l) => element("button", { type: "button", class: "link", click: () => query.goTo(l.line, l.column) }, `line ${l.line}, column ${l.column}`)));
  const items = [...alike.values()].slice(0, 50).map(([first, ...more]) => element("li", {},
    first.extensions?.code && element("span", { class: "badge code" }, first.extensions.code),
    element("span", { class: "message" }, first.message),
    place(first),
    more.length > 0 && element("details", {}, element("summary", {}, more.length === 1 ? "and in 1 other place" : `and in ${more.length} other places`), ...more.slice(0, 100).map(place))));
  if (alike.size > items.length) items.push(element("li", {}, `and ${alike.size - items.length} more; the JSON has them all`));
  $("errors").replaceChildren(...(items.length ? [element("ul", {}, ...items)] : []));
}

// --- links, examples, history

function linkTo(text, values) {
  const parts = new URLSearchParams({ query: text });
  if (values.trim()) parts.set("variables", values);
  return "#" + parts;
}

function open(text, values = "") {
  query.setValue(text);
  variables.setValue(values);
}

function fromHash() {
  const parts = new URLSearchParams(location.hash.slice(1));
  if (!parts.has("query")) return false;
  open(parts.get("query"), parts.get("variables") ?? "");
  return true;
}

async function copy(text, button) {
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Copying is not allowed here";
  }
  setTimeout(() => { button.textContent = label; }, 1500);
}

function listExamples() {
  const groups = Map.groupBy ? Map.groupBy(examples, (e) => e.group ?? "") : new Map([["", examples]]);
  for (const [name, group] of groups) {
    if (name) $("examples").append(element("h2", {}, name));
    $("examples").append(element("ul", { class: "choices" }, ...group.map((e) => element("li", {},
      element("button", { type: "button", click: () => { open(e.document, e.variables ?? ""); run(); } }, e.title)))));
  }
}

function remember(text, values) {
  const past = (stored.read(historyKey) ?? []).filter((h) => h.query !== text || h.variables !== values);
  stored.write(historyKey, [{ query: text, variables: values, at: Date.now() }, ...past].slice(0, 30));
  listHistory();
}

function listHistory() {
  const past = stored.read(historyKey) ?? [];
  if (!past.length) {
    $("history").replaceChildren(element("p", { class: "muted" }, "What you run in this tab is listed here until the tab is closed."));
    return;
  }
  $("history").replaceChildren(
    element("ul", { class: "choices" }, ...past.map((h) => element("li", {},
      element("button", { type: "button", click: () => open(h.query, h.variables) },
        /^\s*((#.*\n)+)/.exec(h.query)?.[1].replace(/\s*#\s*/g, " ").trim() ?? operations(h.query).find(Boolean) ?? h.query.replace(/\s+/g, " ").slice(0, 80),
        element("span", { class: "muted" }, new Date(h.at).toLocaleTimeString()))))),
    element("button", { type: "button", class: "quiet", click: () => { stored.write(historyKey, []); listHistory(); } }, "Clear"));
}

tabs(document.querySelector(".side .tabs"));
tabs(document.querySelector(".answer .tabs"));
listExamples();
listHistory();
if (!fromHash()) {
  const draft = stored.read(draftKey);
  if (draft?.query) open(draft.query, draft.variables);
  else if (examples.length) open(examples[0].document, examples[0].variables ?? "");
}
addEventListener("hashchange", fromHash);
addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "Enter" && !event.defaultPrevented) { event.preventDefault(); run(); }
});
$("run").addEventListener("click", run);
$("format").addEventListener("click", () => query.replace(layOut(query.value)));
$("share").addEventListener("click", (event) => {
  const url = new URL(linkTo(query.value, variables.value), location.href);
  history.replaceState(null, "", url.hash);
  copy(url.href, event.currentTarget);
});
$("copy").addEventListener("click", (event) => copy(JSON.stringify(last, null, 2), event.currentTarget));
$("csv").addEventListener("click", () => {
  const url = URL.createObjectURL(new Blob(["\ufeff", csv(tables)], { type: "text/csv" }));
  element("a", { href: url, download: (operations(query.value).find(Boolean) ?? "kvarter") + ".csv" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
});
document.querySelector("[data-copy]")?.addEventListener("click", (event) => copy(event.currentTarget.dataset.copy, event.currentTarget));
documentation($("docs-body"), $("docs-search"), ask);
$("table").append(element("p", { class: "empty" }, "Run the query, or choose an example. Ctrl+Enter runs it too."));
