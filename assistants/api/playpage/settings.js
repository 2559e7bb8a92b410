/** The settings of the next run, which override those of the assistant. */

import { append, byId, field, h, select, ticked } from "./dom.js";
import { on, state } from "./state.js";

/** @type {() => Record<string, any>} */
let read = () => ({});

/** The settings that the user has chosen. */
export const runSettings = () => read();

export function watchSettings() {
  const number = (/** @type {string} */ min, /** @type {string} */ max, /** @type {string} */ step) =>
    h("input", { type: "number", min, max, step });
  const model = h("input", { type: "text" });
  const instructions = h("textarea", { rows: 2 });
  const additional = h("textarea", { rows: 2 });
  const temperature = number("0", "2", "any");
  const topP = number("0", "1", "any");
  const prompt = number("256", "", "1");
  const completion = number("256", "", "1");
  const last = number("1", "", "1");
  const format = select(["", "auto", "text", "json_object"], "", (value) => value || "the assistant's");
  const effort = select(["", "none", "minimal", "low", "medium", "high", "xhigh", "max"], "");
  const parallel = h("input", { type: "checkbox", checked: true });
  const choice = h("div");
  let chosen = select(["", "auto", "none", "required"], "");
  const showChoice = () => {
    const tools = (state.assistant?.tools ?? []).map((/** @type {any} */ each) =>
      each.type === "function" ? `function ${each.function.name}` : each.type,
    );
    const values = [
      "",
      "auto",
      "none",
      "required",
      ...tools.filter((/** @type {string} */ each) => each !== "retrieval"),
    ];
    chosen = select(values, values.includes(chosen.value) ? chosen.value : "");
    choice.replaceChildren(field("Tool choice", chosen));
  };
  on("assistant", showChoice);
  showChoice();
  append(
    byId("settings"),
    field("Model of the run", model),
    field("Instructions in place of the assistant's", instructions),
    field("Additional instructions", additional),
    h(
      "div",
      { class: "pair" },
      field("Temperature", temperature),
      field("top_p", topP),
      field("Prompt tokens at most", prompt),
      field("Answer tokens at most", completion),
    ),
    field("Last messages only", last),
    choice,
    h("div", { class: "pair" }, field("Response format", format), field("Reasoning effort", effort)),
    ticked("Parallel tool calls", parallel),
  );
  read = () => {
    /** @type {Record<string, any>} */
    const body = {};
    const texts = { model, instructions, additional_instructions: additional };
    for (const [name, control] of Object.entries(texts)) if (control.value.trim()) body[name] = control.value.trim();
    const numbers = { temperature, top_p: topP, max_prompt_tokens: prompt, max_completion_tokens: completion };
    for (const [name, control] of Object.entries(numbers)) if (control.value !== "") body[name] = Number(control.value);
    if (format.value) body.response_format = format.value === "auto" ? "auto" : { type: format.value };
    if (effort.value) body.reasoning_effort = effort.value;
    if (last.value) body.truncation_strategy = { type: "last_messages", last_messages: Number(last.value) };
    if (chosen.value.startsWith("function "))
      body.tool_choice = { type: "function", function: { name: chosen.value.slice(9) } };
    else if (["file_search", "code_interpreter"].includes(chosen.value)) body.tool_choice = { type: chosen.value };
    else if (chosen.value) body.tool_choice = chosen.value;
    if (!parallel.checked) body.parallel_tool_calls = false;
    return body;
  };
}
