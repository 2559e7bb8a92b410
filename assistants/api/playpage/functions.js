/** The editor of a function that an assistant offers. */

import { field, h, ticked } from "./dom.js";
import { complaints, jsonEditor } from "./schema.js";

/** @param {any} definition */
export function functionEditor(definition) {
  const name = h("input", { type: "text", value: definition.name, required: true, pattern: "[A-Za-z0-9_\\-]{1,64}" });
  const description = h("input", { type: "text", value: definition.description ?? "" });
  const strict = h("input", {
    type: "checkbox",
    checked: definition.strict === true,
    onchange: () => parameters.check(),
  });
  const parameters = jsonEditor("Parameters (JSON schema)", definition.parameters, (value) =>
    complaints(value, strict.checked),
  );
  const element = h(
    "fieldset",
    { class: "function" },
    h("legend", {}, "Function"),
    field("Function name", name),
    field("What it does", description),
    parameters.element,
    ticked("strict", strict),
    h("button", { type: "button", class: "quiet", onclick: () => element.remove() }, "Remove function"),
  );
  return {
    element,
    focus: () => name.focus(),
    value: () => {
      const schema = parameters.value();
      return {
        type: "function",
        function: {
          name: name.value,
          ...(description.value ? { description: description.value } : {}),
          ...(schema ? { parameters: schema } : {}),
          ...(strict.checked ? { strict: true } : {}),
        },
      };
    },
  };
}
