/**
 * Markdown as nodes. There is no way from a text to markup: HTML in it stays text, a link leads to http, https or mail
 * only, and an image is a link, as it would be loaded from elsewhere.
 */

import { block } from "./colours.js";
import { append, copy, h } from "./dom.js";

const DEPTH = 12;
const ITEM = /^( *)([-*+]|\d{1,9}[.)])(?: +|$)(.*)$/;
const SAFE = /^(https?:\/\/|mailto:)/i;

/** @typedef {(number: number, label: Node[] | null, plain?: boolean) => Node | null} Mark what stands for the mark `\uE000NUMBER\uE001`; plain: its text */

const MARKS = /\uE000(\d{1,6})\uE001/g;

/**
 * @param {string} text
 * @param {Mark} [mark]
 * @returns {DocumentFragment}
 */
export function markdown(text, mark = () => null) {
  return blocks(text.replace(/\r\n?/g, "\n").split("\n"), mark, 0);
}

/** @param {string[]} lines @param {Mark} mark @param {number} depth */
function blocks(lines, mark, depth) {
  const made = document.createDocumentFragment();
  if (depth > DEPTH) {
    append(made, lines.join("\n"));
    return made;
  }
  for (let at = 0; at < lines.length;) {
    const line = lines[at];
    const fence = /^ {0,3}(`{3,}|~{3,})\s*([\w+#.-]*)[^`]*$/.exec(line);
    if (fence) {
      const end = lines.findIndex(
        (each, index) => index > at && each.trim().startsWith(fence[1]) && !each.trim().replaceAll(fence[1][0], ""),
      );
      const upTo = end < 0 ? lines.length : end;
      const text = lines.slice(at + 1, upTo).join("\n");
      made.append(code(text.replace(MARKS, (_, number) => mark(Number(number), null, true)?.textContent ?? ""), fence[2]));
      at = upTo + 1;
    } else if (!line.trim()) {
      at += 1;
    } else if (/^#{1,6} /.test(line)) {
      const level = line.indexOf(" ");
      const heading = h(/** @type {"h4"} */ (`h${Math.min(6, level + 3)}`));
      append(heading, ...inline(line.slice(level + 1).replace(/ #+ *$/, ""), mark, 0));
      made.append(heading);
      at += 1;
    } else if (/^ {0,3}([-*_])( *\1){2,} *$/.test(line)) {
      made.append(h("hr"));
      at += 1;
    } else if (/^ {0,3}>/.test(line)) {
      const until = after(lines, at, (each) => /^ {0,3}>/.test(each));
      const inner = lines.slice(at, until).map((each) => each.replace(/^ {0,3}> ?/, ""));
      made.append(h("blockquote", {}, blocks(inner, mark, depth + 1)));
      at = until;
    } else if (ITEM.test(line)) {
      at = list(lines, at, made, mark, depth);
    } else if (line.includes("|") && /^ *\|?( *:?-+:? *\|)+( *:?-+:? *)?$/.test(lines[at + 1] ?? "")) {
      const until = after(lines, at, (each) => each.includes("|"));
      made.append(table(lines.slice(at, until), mark));
      at = until;
    } else {
      const until = after(
        lines,
        at + 1,
        (each) => !!each.trim() && !/^( {0,3}(>|`{3}|~{3})|#{1,6} )/.test(each) && !ITEM.test(each),
      );
      made.append(h("p", {}, inline(lines.slice(at, until).join("\n"), mark, 0)));
      at = until;
    }
  }
  return made;
}

/** The first line from `at` on of which `holds` is false. @param {string[]} lines @param {number} at @param {(line: string) => boolean} holds */
function after(lines, at, holds) {
  while (at < lines.length && holds(lines[at])) at += 1;
  return at;
}

/** @param {string} text @param {string} language */
function code(text, language) {
  const button = h("button", { type: "button", class: "quiet", onclick: () => copy(text) }, "Copy");
  const shown = block(`Code ${language}`.trim(), text, language);
  return h("div", { class: "code" }, h("div", {}, h("span", {}, language), button), shown);
}

/** @param {string[]} lines @param {number} at @param {DocumentFragment} made @param {Mark} mark @param {number} depth */
function list(lines, at, made, mark, depth) {
  const [, space, sign] = /** @type {RegExpExecArray} */ (ITEM.exec(lines[at]));
  const ordered = /\d/.test(sign);
  const shown = ordered ? h("ol", { start: parseInt(sign, 10) }) : h("ul");
  made.append(shown);
  while (at < lines.length) {
    const found = ITEM.exec(lines[at]);
    if (
      !found ||
      found[1].length > space.length + 1 ||
      found[1].length < space.length ||
      /\d/.test(found[2]) !== ordered
    )
      break;
    const indent = found[1].length + found[2].length + 1;
    const until = after(
      lines,
      at + 1,
      (each) => !each.trim() || each.search(/\S/) >= Math.min(indent, space.length + 2),
    );
    const inner = lines
      .slice(at + 1, until)
      .map((each) => each.slice(Math.min(indent, Math.max(0, each.search(/\S/)))));
    const first = h("span", {}, inline(found[3], mark, 0));
    shown.append(h("li", {}, first, blocks(inner, mark, depth + 1)));
    at = until;
  }
  return at;
}

/** @param {string[]} lines @param {Mark} mark */
function table(lines, mark) {
  const cells = (/** @type {string} */ line) =>
    line
      .trim()
      .replace(/^\||\|$/g, "")
      .split("|");
  const row = (/** @type {string} */ line, /** @type {"th" | "td"} */ kind) =>
    h(
      "tr",
      {},
      cells(line).map((cell) => h(kind, {}, inline(cell.trim(), mark, 0))),
    );
  const shown = h(
    "table",
    {},
    h("thead", {}, row(lines[0], "th")),
    h(
      "tbody",
      {},
      lines.slice(2).map((line) => row(line, "td")),
    ),
  );
  return h("div", { class: "wide", tabIndex: 0, role: "region", "aria-label": "Table" }, shown);
}

const INLINE = new RegExp(
  [
    /(?<tick>`+)(?!`)(?<code>[^]+?)(?<!`)\k<tick>(?!`)/,
    /!?\[(?<label>[^[\]\n]{0,500})\]\(<?(?<target>[^\s()<>]{0,2000}(?:\([^\s()<>]{0,200}\)[^\s()<>]{0,200})?)>?(?: +"[^"\n]{0,200}")?\)/,
    /(?<stars>\*\*|__)(?=\S)(?<strong>[^]{0,2000}?\S)\k<stars>/,
    /(?<![\w*])(?<star>\*|_)(?=[^\s*_])(?<em>[^*_]{1,2000}?)(?<!\s)\k<star>(?!\w)/,
    /~~(?=\S)(?<del>[^~]{1,2000})~~/,
    /\uE000(?<mark>\d{1,6})\uE001/,
    /(?<address>https?:\/\/[^\s<>"'`\]\uE000]{1,2000}[^\s<>"'`\].,;:!?)\uE000])/,
    /(?: {2,}|\\)?(?<line>\n)/,
    /\\(?<plain>[!-/:-@[-`{-~])/,
  ]
    .map((each) => each.source)
    .join("|"),
);

/** @param {string} text @param {Mark} mark @param {number} depth @returns {Node[]} */
function inline(text, mark, depth) {
  /** @type {Node[]} */
  const made = [];
  const say = (/** @type {string} */ plain) => plain && made.push(document.createTextNode(plain));
  while (text) {
    const found = depth > DEPTH ? null : INLINE.exec(text);
    if (!found) break;
    say(text.slice(0, found.index));
    text = text.slice(found.index + found[0].length);
    const is = /** @type {Record<string, string>} */ (found.groups);
    const inside = (/** @type {string} */ each) => inline(each, mark, depth + 1);
    if (is.code)
      made.push(h("code", {}, is.code.split(MARKS).map((each, at) => (at % 2 ? mark(Number(each), null) : each))));
    else if (is.target !== undefined) made.push(...link(is.target, inside(is.label), found[0], mark));
    else if (is.strong) made.push(h("strong", {}, inside(is.strong)));
    else if (is.em) made.push(h("em", {}, inside(is.em)));
    else if (is.del) made.push(h("del", {}, inside(is.del)));
    else if (is.mark) made.push(mark(Number(is.mark), null) ?? document.createTextNode(""));
    else if (is.address) made.push(anchor(is.address, [is.address]));
    else if (is.plain) say(is.plain);
    else made.push(h("br"));
  }
  say(text);
  return made;
}

/** @param {string} address @param {Node[]} label @param {string} source @param {Mark} mark @returns {Node[]} */
function link(address, label, source, mark) {
  const marked = /^\uE000(\d{1,6})\uE001$/.exec(address);
  const stands = marked && mark(Number(marked[1]), label);
  if (stands) return [stands];
  // A file that code was to make, and has not, or not yet: a stream tells it after the text.
  if (/^sandbox:/i.test(address)) return [h("span", { class: "missing", title: `There is no ${address}` }, label)];
  if (SAFE.test(address)) return [anchor(address, label.length ? label : [address])];
  return [document.createTextNode(source)];
}

/** @param {string} address @param {(Node | string)[]} label */
export function anchor(address, label) {
  return h("a", { href: address, target: "_blank", rel: "noopener noreferrer nofollow" }, label);
}
