// element makes <name class …>children</name>; attributes that are functions become listeners.
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") made.addEventListener(key, value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((c) => c !== null && c !== undefined && c !== false));
  return made;
}

// prose turns a description into paragraphs, with its `code` as elements.
export function prose(text) {
  return text.split(/\n\s*\n/).map((paragraph) => element("p", {},
    ...paragraph.split("`").map((part, i) => (i % 2 ? element("code", {}, part) : part.replace(/\s+/g, " ")))));
}

// tabs makes a list of tabs work with a pointer and with the arrow keys; it returns show(id).
export function tabs(list, onShow) {
  const all = [...list.querySelectorAll("[role=tab]")];
  function show(tab, focus) {
    for (const t of all) {
      const chosen = t === tab;
      t.setAttribute("aria-selected", chosen);
      t.tabIndex = chosen ? 0 : -1;
      document.getElementById(t.getAttribute("aria-controls")).hidden = !chosen;
    }
    if (focus) tab.focus();
    onShow?.(tab.getAttribute("aria-controls"));
  }
  all.forEach((tab, i) => {
    tab.addEventListener("click", () => show(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) { event.preventDefault(); show(all[(i + step + all.length) % all.length], true); }
    });
  });
  return (id) => show(all.find((t) => t.getAttribute("aria-controls") === id));
}
