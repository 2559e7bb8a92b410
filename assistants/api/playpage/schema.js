/** An editor of JSON that shows the errors of a text while it is typed. */

import { field, h } from "./dom.js";

const TYPES = ["string", "number", "integer", "boolean", "object", "array", "null"];
const SCHEMAS = ["items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"];

/**
 * The errors of a JSON schema of a function's parameters, each with its place.
 * @param {any} schema @param {boolean} [strict] as `strict: true` wants it
 * @param {string} [at]
 * @returns {string[]}
 */
export function complaints(schema, strict = false, at = "") {
  const place = at || "The schema";
  if (typeof schema === "boolean" && at) return [];
  if (!isObject(schema)) return [`${place} has to be an object.`];
  /** @type {string[]} */
  const found = [];
  const types = [schema.type ?? []].flat();
  for (const type of types)
    if (!TYPES.includes(type))
      found.push(`${place}: ${JSON.stringify(type)} is no type; types are ${TYPES.join(", ")}.`);
  if (!at && schema.type !== "object") found.push(`${place} needs "type": "object".`);
  const properties = schema.properties ?? {};
  if (!isObject(properties)) found.push(`${at}/properties has to be an object.`);
  else
    for (const [name, each] of Object.entries(properties))
      found.push(...complaints(each, strict, `${at}/properties/${name}`));
  const required = schema.required ?? [];
  if (!Array.isArray(required)) found.push(`${at}/required has to be an array of names.`);
  else if (isObject(properties))
    for (const name of required)
      if (!(name in properties)) found.push(`${at}/required: ${JSON.stringify(name)} is not among the properties.`);
  if ("enum" in schema && (!Array.isArray(schema.enum) || !schema.enum.length))
    found.push(`${at}/enum has to be an array that is not empty.`);
  for (const name of SCHEMAS) if (name in schema) found.push(...complaints(schema[name], strict, `${at}/${name}`));
  for (const name of ["anyOf", "oneOf", "allOf"]) {
    if (!(name in schema)) continue;
    if (!Array.isArray(schema[name]) || !schema[name].length)
      found.push(`${at}/${name} has to be an array of schemas.`);
    else
      schema[name].forEach((/** @type {any} */ each, /** @type {number} */ index) =>
        found.push(...complaints(each, strict, `${at}/${name}/${index}`)),
      );
  }
  for (const name of ["$defs", "definitions"]) {
    if (isObject(schema[name]))
      for (const [key, each] of Object.entries(schema[name]))
        found.push(...complaints(each, strict, `${at}/${name}/${key}`));
  }
  if (strict && types.includes("object")) {
    if (schema.additionalProperties !== false) found.push(`${place}: "strict" needs "additionalProperties": false.`);
    const missing =
      isObject(properties) && Array.isArray(required)
        ? Object.keys(properties).filter((name) => !required.includes(name))
        : [];
    if (missing.length)
      found.push(`${place}: "strict" needs all properties in "required"; ${missing.join(", ")} is missing.`);
  }
  return found;
}

/** @param {unknown} value @returns {value is Record<string, any>} */
export function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * @param {string} label @param {any} value the content; undefined: none
 * @param {(value: any) => string[]} check
 * @param {string} [hint]
 * @returns {{element: HTMLElement, value: () => any, check: () => boolean}} `value` throws the error of the text
 */
export function jsonEditor(label, value, check, hint) {
  const area = h("textarea", {
    rows: 6,
    spellcheck: false,
    class: "json",
    value: value === undefined ? "" : JSON.stringify(value, null, 2),
  });
  const element = field(label, area, hint);
  const wrong = h("ul", { class: "wrong", role: "status", "aria-label": `${label}: errors` });
  element.append(wrong);
  const parsed = () => {
    if (!area.value.trim()) return { value: undefined, errors: /** @type {string[]} */ ([]) };
    try {
      const read = JSON.parse(area.value);
      return { value: read, errors: check(read) };
    } catch (error) {
      return { value: undefined, errors: [`This is not JSON: ${error instanceof Error ? error.message : error}`] };
    }
  };
  const checked = () => {
    const { errors } = parsed();
    area.setAttribute("aria-invalid", String(errors.length > 0));
    wrong.replaceChildren(...errors.map((each) => h("li", {}, each)));
    return errors.length === 0;
  };
  area.addEventListener("input", checked);
  area.addEventListener("blur", () => {
    const { value: read, errors } = parsed();
    if (read !== undefined && !errors.length) area.value = JSON.stringify(read, null, 2);
  });
  return {
    element,
    check: checked,
    value: () => {
      checked();
      const { value: read, errors } = parsed();
      if (errors.length) {
        area.focus();
        throw new Error(`${label}: ${errors[0]}`);
      }
      return read;
    },
  };
}
