/**
 * The colours of code: comments, strings, numbers and words that a language keeps to itself, as spans around texts.
 * Each pattern goes over the text once: a string or a comment that has no end ends with its line, or the text.
 */

import { h } from "./dom.js";

const LONGEST = 100_000;

const DOUBLE = /"(?:[^"\\\n]|\\[^])*"?/;
const SINGLE = /'(?:[^'\\\n]|\\[^])*'?/;
const BACKTICK = /`(?:[^`\\]|\\[^])*`?/;
const TRIPLE = /"""[^]*?(?:"""|$)|'''[^]*?(?:'''|$)/;
const HASH = /(?<![\w$&])#[^\n]*/;
const SLASHES = /\/\/[^\n]*|\/\*[^]*?(?:\*\/|$)/;
const DASHES = /--[^\n]*|\/\*[^]*?(?:\*\/|$)/;
const KEY = /"(?:[^"\\\n]|\\[^])*"(?=[ \n]{0,9}:)/;
const NOTHING = /(?!)/;

const PYTHON = `False None True and as assert async await break case class continue def del elif else except finally for from
  global if import in is lambda match nonlocal not or pass raise return self try while with yield`;
const BRACES = `abstract as async await bool boolean break byte case catch char class const continue default defer delete do
  double else enum export extends false final finally float fn for foreach from func function go if impl implements import in
  include instanceof int interface internal is let long match mod mut namespace new nil null of override package private
  protected pub public readonly return self sizeof static string struct super switch template this throw throws trait true try
  type typedef typeof undefined unsigned use using var virtual void where while yield`;
const SHELL = `case do done elif else esac exit export fi for function if in local return set source then unset until while`;
const SQL = `all alter and as asc between by case create delete desc distinct drop else end exists false from full group having
  in index inner insert into is join key left like limit not null offset on or order outer primary references right select set
  table then true union unique update values view when where with`;

/** @param {string} words @param {RegExp} comment @param {RegExp[]} strings @param {RegExp} [key] */
function family(words, comment, strings, key = NOTHING) {
  const source = [
    `(?<key>${key.source})`,
    `(?<comment>${comment.source})`,
    `(?<string>${strings.map((each) => each.source).join("|")})`,
    "(?<number>\\b(?:0x[\\da-f_]+|\\d[\\d_]*(?:\\.\\d+)?(?:e[+-]?\\d+)?)\\b)",
    "(?<word>[a-z_]\\w*)",
  ].join("|");
  return { pattern: new RegExp(source, "gi"), words: new Set(words.split(/\s+/)) };
}

const python = family(PYTHON, HASH, [TRIPLE, DOUBLE, SINGLE]);
const braces = family(BRACES, SLASHES, [DOUBLE, SINGLE, BACKTICK]);
const rust = family(BRACES, SLASHES, [DOUBLE]);
const shell = family(SHELL, HASH, [DOUBLE, SINGLE]);
const sql = family(SQL, DASHES, [DOUBLE, SINGLE]);
const jsons = family("true false null", NOTHING, [DOUBLE], KEY);
const config = family("true false null yes no", HASH, [DOUBLE, SINGLE]);

/** @type {Record<string, ReturnType<typeof family>>} */
const FAMILIES = Object.assign(Object.create(null), {
  ...{ python, py: python, python3: python, ipython: python, sql, json: jsons, jsonc: jsons, rust, rs: rust },
  ...{ sh: shell, bash: shell, shell, zsh: shell, console: shell, yaml: config, yml: config, toml: config, ini: config },
  ...Object.fromEntries(
    "javascript js jsx typescript ts tsx java kotlin kt swift go c cpp c++ cs csharp php scala dart"
      .split(" ")
      .map((name) => [name, braces]),
  ),
});

/** A block of code, which can be scrolled by the keyboard. @param {string} label @param {string} text @param {string} [language] */
export function block(label, text, language = "") {
  return h("pre", { tabIndex: 0, role: "region", "aria-label": label }, h("code", {}, coloured(text, language)));
}

/** @param {any} value @param {string} label */
export function json(value, label) {
  return block(label, JSON.stringify(value, null, 2), "json");
}

/** A text, as JSON with indents if it is that. @param {string} text @param {string} label */
export function pretty(text, label) {
  try {
    return json(JSON.parse(text), label);
  } catch {
    return block(label, text);
  }
}

/** The text in pieces, of which some are spans. @param {string} text @param {string} language @returns {(Node | string)[]} */
export function coloured(text, language) {
  const known = FAMILIES[language.toLowerCase()];
  if (!known || text.length > LONGEST) return [text];
  /** @type {(Node | string)[]} */
  const made = [];
  let from = 0;
  for (const found of text.matchAll(known.pattern)) {
    const [kind] = Object.entries(found.groups ?? {}).find(([, value]) => value !== undefined) ?? ["word"];
    const word = known === sql ? found[0].toLowerCase() : found[0];
    if (kind === "word" && !known.words.has(word)) continue;
    made.push(text.slice(from, found.index), h("span", { class: kind }, found[0]));
    from = found.index + found[0].length;
  }
  made.push(text.slice(from));
  return made;
}
