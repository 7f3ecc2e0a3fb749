// A textarea with line numbers and colours beneath it. Undo is the browser's own.

const closing = { "{": "}", "(": ")", "[": "]", '"': '"' };

// editor fills the element and returns {value, setValue, focus, mark, select}.
export function editor(host, { label, tokens, onInput, onRun }) {
  host.innerHTML = '<pre class="gutter" aria-hidden="true"></pre><div class="scroll"><pre class="colours" aria-hidden="true"></pre><textarea spellcheck="false" autocapitalize="off" autocomplete="off" wrap="off"></textarea></div>';
  const [gutter, colours, area] = ["pre.gutter", "pre.colours", "textarea"].map((s) => host.querySelector(s));
  area.setAttribute("aria-label", label);
  area.title = "Tab indents; Escape, then Tab, leaves the editor";
  let leaving = false, marked = 0;

  function paint() {
    const text = area.value;
    const lines = text.split("\n").length;
    gutter.replaceChildren();
    for (let i = 1; i <= lines; i++) {
      const number = document.createElement("span");
      number.textContent = i;
      if (i === marked) number.className = "marked";
      gutter.append(number, "\n");
    }
    colours.replaceChildren();
    let end = 0;
    for (const token of tokens(text)) {
      colours.append(text.slice(end, token.at));
      const span = document.createElement("span");
      span.className = "t-" + token.kind;
      span.textContent = token.text;
      colours.append(span);
      end = token.at + token.text.length;
    }
    colours.append(text.slice(end) + "\n");
  }

  function insert(text, from = area.selectionStart, to = area.selectionEnd) {
    area.setSelectionRange(from, to);
    // execCommand keeps undo, which setRangeText does not.
    if (!document.execCommand(text === "" ? "delete" : "insertText", false, text)) area.setRangeText(text, from, to, "end");
  }

  function lineRange() {
    const from = area.value.lastIndexOf("\n", area.selectionStart - 1) + 1;
    const to = area.value.indexOf("\n", area.selectionEnd);
    return [from, to < 0 ? area.value.length : to];
  }

  function eachLine(change) {
    const [from, to] = lineRange();
    const text = area.value.slice(from, to).split("\n").map(change).join("\n");
    insert(text, from, to);
    area.setSelectionRange(from, from + text.length);
  }

  area.addEventListener("keydown", (event) => {
    const { selectionStart: at, selectionEnd: to, value } = area;
    const command = event.ctrlKey || event.metaKey;
    if (event.key === "Escape") { leaving = true; return; }
    if (event.key === "Tab" && !leaving && !command && !event.altKey) {
      event.preventDefault();
      if (event.shiftKey) eachLine((l) => l.replace(/^ {1,2}/, ""));
      else if (value.slice(at, to).includes("\n")) eachLine((l) => "  " + l);
      else insert("  ");
      return;
    }
    if (event.key !== "Shift") leaving = false;
    if (command && event.key === "Enter") { event.preventDefault(); onRun(); return; }
    if (command && event.key === "/") {
      event.preventDefault();
      const [from, end] = lineRange();
      const commented = value.slice(from, end).split("\n").every((l) => /^\s*#/.test(l) || !l.trim());
      eachLine((l) => (commented ? l.replace(/^(\s*)# ?/, "$1") : l.replace(/^(\s*)(?=\S)/, "$1# ")));
      return;
    }
    if (command || event.altKey || event.isComposing) return;
    const before = value[at - 1] ?? "", after = value[to] ?? "";
    if (event.key === "Enter") {
      event.preventDefault();
      const indent = /^ */.exec(value.slice(value.lastIndexOf("\n", at - 1) + 1))[0].slice(0, at);
      if ("{([".includes(before) && before && closing[before] === after) {
        insert("\n" + indent + "  \n" + indent);
        const caret = at + indent.length + 3;
        area.setSelectionRange(caret, caret);
      } else insert("\n" + indent + (before === "{" ? "  " : ""));
    } else if (closing[event.key] && (at !== to || /[\s)\]},]|^$/.test(after)) && !(event.key === '"' && /[\w"]/.test(before))) {
      event.preventDefault();
      insert(event.key + value.slice(at, to) + closing[event.key]);
      area.setSelectionRange(at + 1, to + 1);
    } else if (at === to && "})]\"".includes(event.key) && after === event.key) {
      event.preventDefault();
      area.setSelectionRange(at + 1, at + 1);
    } else if (event.key === "Backspace" && at === to && closing[before] && closing[before] === after) {
      event.preventDefault();
      insert("", at - 1, at + 1);
    }
  });
  area.addEventListener("input", () => { marked = 0; paint(); onInput?.(area.value); });
  area.addEventListener("blur", () => { leaving = false; });
  paint();

  return {
    get value() { return area.value; },
    setValue(text) { area.value = text; marked = 0; paint(); onInput?.(text); },
    replace(text) { area.focus(); insert(text, 0, area.value.length); },
    focus() { area.focus(); },
    // goTo marks a line, counted from 1, and puts the caret there.
    goTo(line, column = 1) {
      const before = area.value.split("\n").slice(0, line - 1);
      const at = before.reduce((sum, l) => sum + l.length + 1, 0) + column - 1;
      marked = line;
      paint();
      area.focus();
      area.setSelectionRange(at, at);
    },
  };
}
