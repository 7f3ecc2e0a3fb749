// Reads GraphQL and JSON as far as colours, layout and the names of operations need.

const graphql = /(#[^\n]*)|("""(?:[^\\]|\\[^])*?(?:"""|$)|"(?:[^"\\\n]|\\.)*"?)|(\$[A-Za-z_]\w*)|(@[A-Za-z_]\w*)|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|([A-Za-z_]\w*)|(\.\.\.|[{}()[\]:!=|&,])/g;
const graphqlKinds = ["comment", "string", "variable", "directive", "number", "name", "punctuation"];
const keywords = new Set(["query", "fragment", "on", "mutation", "subscription"]);

// graphqlTokens returns [{kind, text, at}]; blanks are left out.
export function graphqlTokens(text) {
  const tokens = [];
  for (const match of text.matchAll(graphql)) {
    const group = match.findIndex((m, i) => i > 0 && m !== undefined);
    tokens.push({ kind: graphqlKinds[group - 1], text: match[0], at: match.index });
  }
  let parens = 0;
  tokens.forEach((token, i) => {
    if (token.text === "(") parens++;
    if (token.text === ")") parens--;
    if (token.kind !== "name") return;
    const next = tokens[i + 1];
    if (parens === 0 && keywords.has(token.text) && next?.text !== ":") token.kind = "keyword";
    else if (next?.text === ":") token.kind = parens > 0 ? "argument" : "alias";
    else if (token.text === "true" || token.text === "false" || token.text === "null") token.kind = "number";
    else if (/^[A-Z][A-Z0-9_]*$/.test(token.text) && parens > 0) token.kind = "code";
  });
  return tokens;
}

const json = /("(?:[^"\\\n]|\\.)*"?)(\s*:)?|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(true|false|null)|([{}[\],:])/g;

export function jsonTokens(text) {
  const tokens = [];
  for (const match of text.matchAll(json)) {
    if (match[1] !== undefined) tokens.push({ kind: match[2] ? "argument" : "string", text: match[1], at: match.index });
    else tokens.push({ kind: match[5] ? "punctuation" : "number", text: match[0], at: match.index });
  }
  return tokens;
}

// operations returns the names of the document's operations; "" for one without a name.
export function operations(text) {
  const names = [];
  let depth = 0;
  const tokens = graphqlTokens(text).filter((t) => t.kind !== "comment");
  tokens.forEach((token, i) => {
    if (depth === 0 && token.kind === "keyword" && token.text !== "fragment" && token.text !== "on") {
      names.push(/^[A-Za-z_]/.test(tokens[i + 1]?.text ?? "") ? tokens[i + 1].text : "");
    }
    if (depth === 0 && token.text === "{" && (i === 0 || tokens[i - 1].text === "}")) names.push("");
    if ("{([".includes(token.text)) depth++;
    if ("})]".includes(token.text)) depth--;
  });
  return names;
}

// layOut indents a GraphQL document by its braces; short selections of leaves stay on their line.
export function layOut(text) {
  const tokens = graphqlTokens(text);
  let out = "", indent = 0, parens = 0, inline = -1;
  const line = () => { out = out.replace(/ +$/, "") + "\n" + "  ".repeat(indent); };
  const fits = (from) => {
    let width = 0, depth = 0;
    for (let i = from; i < tokens.length; i++) {
      if (tokens[i].kind === "comment") return -1;
      if (tokens[i].text === "{") depth++;
      if (depth > 2) return -1;
      width += tokens[i].text.length + 1;
      if (tokens[i].text === "}" && --depth === 0) return width <= 70 ? i : -1;
    }
    return -1;
  };
  tokens.forEach((token, i) => {
    const previous = tokens[i - 1], next = tokens[i + 1];
    const glued = previous && (/^[([]$/.test(previous.text) || (previous.text === "..." && token.kind !== "keyword") || /^[)\]:!,(]$/.test(token.text)) && previous.text !== ":";
    const inSelection = parens === 0 && inline < 0;
    if (token.kind === "comment") {
      if (out && !out.endsWith("\n") && !/\n *$/.test(out)) out += text.slice(previous.at, token.at).includes("\n") ? "" : "  ";
      if (out && previous && text.slice(previous.at + previous.text.length, token.at).includes("\n") && !/\n *$/.test(out)) line();
      out += token.text.trimEnd();
      line();
      return;
    }
    if (token.text === ",") {
      if (parens > 0 && !out.endsWith(", ")) out += ", ";
      return;
    }
    if (token.text === "(" || token.text === "[") parens++;
    if (token.text === ")" || token.text === "]") parens--;
    if (token.text === "}" && inSelection) {
      indent--;
      if (/\n *$/.test(out)) out = out.replace(/\n *$/, "");
      line();
      out += "}";
      if (indent === 0) out += "\n\n";
      else line();
      return;
    }
    const startsArgument = parens > 0 && (token.kind === "argument" || (token.kind === "variable" && next?.text === ":"));
    if (startsArgument && !/[({]\s*$|, $/.test(out)) out += ",";
    const atStart = out === "" || /\n *$/.test(out) || out.endsWith(" ");
    if (!atStart && !glued && !(token.text === "(" && previous?.kind !== "punctuation")) out += " ";
    out += token.text;
    if (token.text === "{" && inSelection) {
      const end = indent === 0 ? -1 : fits(i);
      if (end > 0) inline = end;
      else { indent++; line(); }
      return;
    }
    if (inline === i) { inline = -1; line(); return; }
    if (parens === 0 && inline < 0 && indent > 0 && next && startsField(token, next)) line();
  });
  return out.replace(/ +\n/g, "\n").trimEnd() + "\n";

  function startsField(token, next) {
    if (token.text === ":" || token.text === "..." || token.kind === "keyword" || next.text === "{") return false;
    return next.text === "..." || next.kind === "alias" || next.kind === "code" || (next.kind === "name");
  }
}
