/** The calls that were made, as the lines of a program or of a shell. */

import { base } from "./api.js";

/** @typedef {import("./api.js").Call} Call */

/** Method and path, and the SDK's method for them. @type {[RegExp, string][]} */
const METHODS = [
  [/^POST \/assistants$/, "beta.assistants.create"],
  [/^POST \/assistants\/([^/]+)$/, "beta.assistants.update"],
  [/^DELETE \/assistants\/([^/]+)$/, "beta.assistants.delete"],
  [/^POST \/threads$/, "beta.threads.create"],
  [/^DELETE \/threads\/([^/]+)$/, "beta.threads.delete"],
  [/^POST \/threads\/([^/]+)\/messages$/, "beta.threads.messages.create"],
  [/^POST \/threads\/([^/]+)\/runs$/, "beta.threads.runs.create"],
  [
    /^POST \/threads\/(?<thread_id>[^/]+)\/runs\/([^/]+)\/submit_tool_outputs$/,
    "beta.threads.runs.submit_tool_outputs",
  ],
  [/^POST \/threads\/(?<thread_id>[^/]+)\/runs\/([^/]+)\/cancel$/, "beta.threads.runs.cancel"],
  [/^POST \/vector_stores$/, "vector_stores.create"],
  [/^POST \/vector_stores\/([^/]+)\/search$/, "vector_stores.search"],
  [/^DELETE \/vector_stores\/([^/]+)$/, "vector_stores.delete"],
  [/^POST \/vector_stores\/([^/]+)\/files$/, "vector_stores.files.create"],
  [/^DELETE \/vector_stores\/(?<vector_store_id>[^/]+)\/files\/([^/]+)$/, "vector_stores.files.delete"],
  [/^DELETE \/files\/([^/]+)$/, "files.delete"],
];

/** @param {Call} call */
export function python(call) {
  const head = `from openai import OpenAI\n\nclient = OpenAI(base_url=${literal(base)}, api_key="YOUR_KEY")\n`;
  if (call.file)
    return `${head}print(client.files.create(file=open(${literal(call.file.name)}, "rb"), purpose=${literal(call.file.purpose)}))\n`;
  const [path] = call.path.split("?");
  for (const [pattern, method] of METHODS) {
    const found = pattern.exec(`${call.method} ${path}`);
    if (!found) continue;
    const names = found.groups ?? {};
    const values = Object.values(names);
    const parts = [
      ...found
        .slice(1)
        .filter((each) => !values.includes(each))
        .map((each) => literal(each)),
      ...Object.entries(names).map(([name, value]) => `${name}=${literal(value)}`),
      ...Object.entries(call.body ?? {}).map(([name, value]) => `${name}=${literal(value, 1)}`),
    ];
    const made = `client.${method}(${parts.length ? `\n    ${parts.join(",\n    ")},\n` : ""})`;
    if (call.body?.stream) return `${head}for event in ${made}:\n    print(event.event, event.data)\n`;
    return `${head}print(${made})\n`;
  }
  return `# ${call.method} ${call.path} has no method in the SDK.\n${head}`;
}

/** @param {Call} call */
export function curl(call) {
  const lines = [
    `curl ${call.body?.stream ? "-N " : ""}-X ${call.method} ${quoted(base + call.path)}`,
    `-H "Authorization: Bearer $OPENAI_API_KEY"`,
  ];
  if (call.file)
    lines.push(
      `-F ${quoted(`purpose=${call.file.purpose}`)}`,
      `-F ${quoted(`file=@"${call.file.name.replace(/["\\]/g, "\\$&")}"`)}`,
    );
  else lines.push(`-H 'OpenAI-Beta: assistants=v2'`);
  if (call.body) lines.push(`-H 'Content-Type: application/json'`, `-d ${quoted(JSON.stringify(call.body))}`);
  return `${lines.join(" \\\n  ")}\n`;
}

/** @param {string} text */
function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** A value as Python writes it. @param {any} value @param {number} [depth] @returns {string} */
export function literal(value, depth = 0) {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "string")
    return JSON.stringify(value).replace(
      /\u007f|[\u2028\u2029]/g,
      (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
  if (typeof value === "number") return String(value);
  const indent = "    ".repeat(depth + 1);
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  const parts = Array.isArray(value)
    ? value.map((each) => literal(each, depth + 1))
    : Object.entries(value).map(([name, each]) => `${JSON.stringify(name)}: ${literal(each, depth + 1)}`);
  const short = open + parts.join(", ") + close;
  return short.length < 60 && !short.includes("\n")
    ? short
    : `${open}\n${parts.map((each) => `${indent}${each},\n`).join("")}${"    ".repeat(depth)}${close}`;
}
