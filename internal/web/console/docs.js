// The documentation browser: the schema by introspection.
import { element, prose } from "./dom.js";

const introspection = `query Introspection {
  __schema {
    queryType { name }
    types {
      kind name description
      fields(includeDeprecated: true) {
        name description isDeprecated deprecationReason
        args(includeDeprecated: true) { name description defaultValue isDeprecated deprecationReason type { ...ref } }
        type { ...ref }
      }
      inputFields(includeDeprecated: true) { name description defaultValue isDeprecated deprecationReason type { ...ref } }
      enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason }
      interfaces { name }
      possibleTypes { name }
    }
  }
}
fragment ref on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } }`;

const written = (type) =>
  type.kind === "NON_NULL" ? written(type.ofType) + "!" : type.kind === "LIST" ? "[" + written(type.ofType) + "]" : type.name;
const named = (type) => (type.ofType ? named(type.ofType) : type.name);
// Servers differ in whether a type without fields has null or an empty list of them.
const membersOf = (type) => [type.fields, type.inputFields, type.enumValues].find((m) => m?.length) ?? [];
const kinds = { OBJECT: "type", INTERFACE: "interface", UNION: "union", ENUM: "codes", INPUT_OBJECT: "input", SCALAR: "scalar" };

// documentation loads the schema into the panel.
export async function documentation(body, search, ask) {
  body.replaceChildren(element("p", { class: "muted" }, "Loading the schema"));
  let schema;
  try {
    const { result } = await ask(introspection);
    if (!result.data) throw new Error(result.errors[0].message);
    schema = result.data.__schema;
  } catch (failure) {
    body.replaceChildren(
      element("p", { class: "problem" }, "The schema could not be read: " + failure.message),
      element("button", { type: "button", click: () => documentation(body, search, ask) }, "Try again"));
    return;
  }
  const types = new Map(schema.types.filter((t) => !t.name.startsWith("__")).map((t) => [t.name, t]));
  const root = schema.queryType.name;
  let trail = [root];

  const link = (type) => {
    const text = written(type), name = named(type), at = text.indexOf(name);
    return element("span", { class: "type" }, text.slice(0, at),
      element("button", { type: "button", class: "link", click: () => visit(name) }, name), text.slice(at + name.length));
  };
  const deprecated = (d) => d.isDeprecated && element("div", { class: "deprecated" }, "Deprecated", ...prose(d.deprecationReason ?? ""));
  const described = (d) => d.description && element("div", { class: "says" }, ...prose(d.description));

  function visit(name, focusOn) {
    search.value = "";
    const known = trail.indexOf(name);
    trail = known >= 0 ? trail.slice(0, known + 1) : [...trail, name];
    show(focusOn);
  }

  function argument(a) {
    return element("li", {}, element("span", { class: "name" }, a.name), ": ", link(a.type),
      a.defaultValue !== null && element("span", { class: "muted" }, " = " + a.defaultValue), described(a), deprecated(a));
  }

  function member(m, owner) {
    const args = m.args ?? [];
    const item = element("li", { id: `doc-${owner}-${m.name}`, class: m.isDeprecated ? "member old" : "member" },
      element("div", { class: "signature" }, element("span", { class: "name" }, m.name), m.type && ": ", m.type && link(m.type),
        m.defaultValue && element("span", { class: "muted" }, " = " + m.defaultValue)),
      described(m), deprecated(m));
    if (args.length) item.append(element("details", { open: args.length <= 2 },
      element("summary", {}, args.length === 1 ? "1 argument: " : `${args.length} arguments: `,
        element("span", { class: "muted" }, args.map((a) => a.name).join(", "))),
      element("ul", { class: "arguments" }, ...args.map(argument))));
    return item;
  }

  function show(focusOn) {
    const type = types.get(trail.at(-1));
    const members = membersOf(type);
    const users = [...types.values()].flatMap((t) => [
      ...(t.fields ?? []).filter((f) => named(f.type) === type.name || f.args.some((a) => named(a.type) === type.name)),
      ...(t.inputFields ?? []).filter((f) => named(f.type) === type.name),
    ].map((f) => [t.name, f.name]));
    body.replaceChildren(
      element("nav", { class: "trail", "aria-label": "Trail" }, ...trail.flatMap((name, i) => [
        i > 0 && " › ",
        i < trail.length - 1 ? element("button", { type: "button", class: "link", click: () => visit(name) }, name) : element("strong", {}, name),
      ])),
      element("p", { class: "kind" }, kinds[type.kind] ?? "", ...(type.interfaces ?? []).map((i) => " · " + i.name)));
    if (type.description) body.append(element("div", { class: "description" }, ...prose(type.description)));
    if (type.possibleTypes?.length) body.append(element("p", {}, "One of ", ...type.possibleTypes.flatMap((t, i) => [i > 0 && ", ", link({ kind: "OBJECT", name: t.name })])));
    body.append(element("ul", { class: "members" }, ...members.map((m) => member(m, type.name))));
    if (users.length && type.name !== root) {
      const shown = users.slice(0, 12);
      body.append(element("p", { class: "users muted" }, "Used by ", ...shown.flatMap(([owner, name], i) => [i > 0 && ", ",
        element("button", { type: "button", class: "link", click: () => visit(owner, name) }, owner + "." + name)]),
        users.length > shown.length && ` and ${users.length - shown.length} more`));
    }
    const target = focusOn && document.getElementById(`doc-${type.name}-${focusOn}`);
    if (target) { target.classList.add("found"); target.scrollIntoView({ block: "center" }); }
    else body.parentElement.scrollTop = 0;
  }

  function find(words) {
    const hits = [];
    const weigh = (name, description) => {
      const low = name.toLowerCase(), text = low + " " + (description ?? "").toLowerCase();
      if (!words.every((w) => text.includes(w))) return -1;
      return low === words[0] ? 0 : low.startsWith(words[0]) ? 1 : low.includes(words[0]) ? 2 : 3;
    };
    const add = (owner, name, description, on) => {
      const weight = weigh(name, description);
      if (weight >= 0) hits.push({ weight, owner, name, description, on });
    };
    for (const type of types.values()) {
      add(null, type.name, type.description);
      for (const m of membersOf(type)) {
        add(type.name, m.name, m.description);
        for (const a of m.args ?? []) add(type.name, `${m.name}(${a.name}:)`, a.description, m.name);
      }
    }
    hits.sort((a, b) => a.weight - b.weight);
    const shown = hits.slice(0, 60);
    body.replaceChildren(
      element("p", { class: "muted" }, hits.length === 0 ? "Nothing in the schema has all of these words." : hits.length === 1 ? "1 place" : `${hits.length} places` + (hits.length > shown.length ? `, the first ${shown.length}` : "")),
      element("ul", { class: "hits" }, ...shown.map((h) => element("li", {},
        element("button", { type: "button", class: "link", click: () => (h.owner ? visit(h.owner, h.on ?? h.name) : visit(h.name)) },
          (h.owner ? h.owner + "." : "") + h.name),
        h.description && element("div", { class: "says" }, ...prose(h.description))))));
  }

  search.addEventListener("input", () => {
    const words = search.value.toLowerCase().split(/[\s.]+/).filter(Boolean);
    if (words.length) find(words);
    else show();
  });
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter") body.querySelector(".hits .link")?.click();
  });
  show();
}
