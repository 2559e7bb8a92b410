/** The form that answers the calls of functions by hand. */

import { pretty } from "./colours.js";
import { acting, append, byId, field, fill, h } from "./dom.js";
import { follow } from "./running.js";
import { on, state } from "./state.js";

let shownFor = "";

export function watchAction() {
  on("run", show);
  byId("action").addEventListener("submit", acting(submit));
}

function show() {
  const run = state.run;
  const form = byId("action");
  const needed = run?.status === "requires_action" ? run.required_action.submit_tool_outputs.tool_calls : [];
  const key = needed.map((/** @type {any} */ call) => call.id).join();
  form.hidden = !needed.length;
  if (key === shownFor) return;
  shownFor = key;
  fill(form, h("h3", {}, "Outputs of functions"));
  for (const call of needed) {
    const output = h("textarea", { rows: 3, name: call.id });
    append(
      form,
      h("strong", {}, call.function.name),
      pretty(call.function.arguments, `Arguments of ${call.function.name}`),
      field(`Output of ${call.function.name}`, output),
    );
  }
  append(form, h("button", { type: "submit", class: "main" }, "Submit outputs"));
  if (!needed.length) return;
  byId("columns").dataset.shown = "right";
  form.querySelector("textarea")?.focus();
}

async function submit() {
  const run = state.run;
  const outputs = [...byId("action").querySelectorAll("textarea")].map((each) => ({
    tool_call_id: each.name,
    output: each.value,
  }));
  byId("action").hidden = true;
  byId("columns").dataset.shown = "middle";
  try {
    await follow(
      `/threads/${run.thread_id}/runs/${run.id}/submit_tool_outputs`,
      { tool_outputs: outputs },
      byId("messages"),
    );
  } finally {
    byId("action").hidden = state.run?.status !== "requires_action";
    if (byId("action").hidden) byId("text").focus();
  }
}
