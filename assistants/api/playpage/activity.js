/** The activity panel: the run, its steps and tool calls, and the requests of this page. */

import { calls, onCall } from "./api.js";
import { block, json, pretty } from "./colours.js";
import { badge, byId, copy, fill, h, time } from "./dom.js";
import { showHistory } from "./events.js";
import { loadedImage, passageOf, textOf } from "./messages.js";
import { curl, python } from "./snippets.js";
import { isActive, on, state } from "./state.js";

/** @type {Map<string, {step: any, element: HTMLElement}>} */
const steps = new Map();
/** @type {Map<string, HTMLElement>} those that are there already */
const images = new Map();

export function watchActivity() {
  on("run", showRun);
  onCall(showCalls);
  showRun();
  showCalls();
}

function showRun() {
  const run = state.run;
  byId("cancel").hidden = !isActive(run) || run.status === "cancelling";
  if (!run) return fill(byId("run"), h("dt", {}, "The run of your next message is shown here, step by step."));
  const ended = run.completed_at ?? run.failed_at ?? run.cancelled_at;
  /** @type {[string, any][]} */
  const rows = [
    ["Status", badge(run.status)],
    ["Why", run.last_error ? `${run.last_error.code}: ${run.last_error.message}` : run.incomplete_details?.reason],
    ["Id", run.id],
    ["Model", run.model],
    ["Created", time(run.created_at)],
    ["Started", time(run.started_at)],
    ["Ended", time(ended)],
    ["Tokens", run.usage && `${run.usage.prompt_tokens} + ${run.usage.completion_tokens} = ${run.usage.total_tokens}`],
    ["Settings", settingsOf(run)],
  ];
  fill(
    byId("run"),
    ...rows.filter(([, value]) => value).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
  );
  tellHistory();
}

/** @param {any} run */
function settingsOf(run) {
  const names = [
    "instructions",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "temperature",
    "top_p",
    "response_format",
    "max_prompt_tokens",
    "max_completion_tokens",
    "truncation_strategy",
    "reasoning_effort",
    "metadata",
  ];
  const kept = Object.fromEntries(
    names.filter((name) => run[name] !== null && run[name] !== undefined).map((name) => [name, run[name]]),
  );
  return h("details", {}, h("summary", {}, "of this run"), json(kept, "Settings of this run"));
}

export function forgetSteps() {
  steps.clear();
  images.clear();
  fill(byId("steps"));
}

/** Show a step, or a piece of it. @param {any} data @param {boolean} [delta] */
export function showStep(data, delta = false) {
  let known = steps.get(data.id);
  if (!known) {
    if (delta) return;
    known = { step: data, element: h("li") };
    steps.set(data.id, known);
    byId("steps").append(known.element);
  }
  if (delta) extend(known.step, data.delta);
  else known.step = data;
  drawStep(known.step, known.element);
  if (!delta) tellHistory();
}

function tellHistory() {
  if (state.run) showHistory(state.run, [...steps.values()].map(({ step }) => step));
}

/** @param {any} step @param {any} delta */
function extend(step, delta) {
  const details = delta.step_details;
  if (details?.type !== "tool_calls") return;
  const there = (step.step_details.tool_calls ??= []);
  for (const call of details.tool_calls ?? []) {
    const old = there[call.index];
    if (!old) {
      there[call.index] = call;
      continue;
    }
    if (call.id) old.id = call.id;
    for (const kind of ["function", "code_interpreter"]) {
      if (!call[kind]) continue;
      const into = (old[kind] ??= {});
      for (const [name, value] of Object.entries(call[kind])) {
        if (typeof value === "string" && ["arguments", "input"].includes(name)) into[name] = (into[name] ?? "") + value;
        else if (Array.isArray(value) && Array.isArray(into[name])) into[name].push(...value);
        else if (value !== null) into[name] = value;
      }
    }
    if (call.file_search) old.file_search = { ...old.file_search, ...call.file_search };
  }
}

/** @param {any} step @param {HTMLElement} element */
function drawStep(step, element) {
  const open = new Map([...element.querySelectorAll("details")].map((each) => [each.dataset.of, each.open]));
  const ended = step.completed_at ?? step.failed_at ?? step.cancelled_at;
  const took = ended ? ` · ${ended - step.created_at} s` : "";
  const tokens = step.usage ? ` · ${step.usage.prompt_tokens} + ${step.usage.completion_tokens} tokens` : "";
  const made =
    step.type === "message_creation"
      ? []
      : (step.step_details.tool_calls ?? []).map((/** @type {any} */ call) => shownCall(call, step.status));
  fill(
    element,
    h("header", {}, h("strong", {}, step.type === "message_creation" ? "Message" : "Tool calls"), badge(step.status)),
    h("small", {}, `${time(step.created_at)}${took}${tokens}`),
    step.last_error && h("p", { class: "bad" }, step.last_error.message),
    made,
  );
  for (const each of element.querySelectorAll("details")) each.open = open.get(each.dataset.of) ?? each.open;
}

/** @param {any} call @param {string} status of its step */
function shownCall(call, status) {
  if (call.type === "function" || call.type === "retrieval") {
    const told = call.function ?? { name: "retrieval", arguments: "", output: JSON.stringify(call.retrieval ?? null) };
    return h(
      "div",
      {},
      h("h3", {}, told.name),
      pretty(told.arguments, `Arguments of ${told.name}`),
      told.output === null || told.output === undefined
        ? h("small", {}, "no output yet")
        : h("details", { open: true, "data-of": call.id }, h("summary", {}, "Output"), pretty(told.output, `Output of ${told.name}`)),
    );
  }
  if (call.type === "file_search") {
    const results = call.file_search?.results ?? [];
    return h(
      "div",
      {},
      h("h3", {}, "file_search"),
      h(
        "details",
        { "data-of": call.id },
        h("summary", {}, `${results.length} ${results.length === 1 ? "result" : "results"}`),
        results.map((/** @type {any} */ each) =>
          h("div", {}, h("strong", {}, each.file_name), passageOf(textOf(each), each.score)),
        ),
      ),
    );
  }
  if (call.type === "code_interpreter") {
    const outputs = call.code_interpreter?.outputs ?? [];
    return h(
      "div",
      {},
      h("h3", {}, "code_interpreter"),
      block("Code", call.code_interpreter?.input ?? "", "python"),
      h("small", {}, outputs.length ? "Output" : status === "in_progress" ? "no output yet" : "no output"),
      outputs.map((/** @type {any} */ each) => {
        if (each.type === "logs") return block("Logs", each.logs);
        const id = each.image?.file_id;
        if (!id) return null;
        if (!images.has(id)) images.set(id, loadedImage(id));
        return images.get(id);
      }),
    );
  }
  return json(call, call.type);
}

function showCalls() {
  const shown = h("div", { hidden: true });
  const button = (/** @type {import("./api.js").Call} */ call, /** @type {string} */ name, /** @type {string} */ code) =>
    h(
      "button",
      {
        type: "button",
        class: "quiet",
        "aria-label": `Copy ${call.method} ${call.path} as ${name}`,
        onclick: async (/** @type {any} */ event) => {
          event.currentTarget.parentElement.append(shown);
          fill(shown, block("The copied code", code, name === "curl" ? "sh" : name), h("small", {}, "Put your key in."));
          shown.hidden = false;
          await copy(code);
        },
      },
      name,
    );
  const rows = calls
    .slice(0, 10)
    .map((call) =>
      h(
        "li",
        {},
        h("code", { title: call.path }, `${call.method} ${call.path.replace(/_\w{12,}(?=\w{4})/g, "_…")}`),
        h("br"),
        button(call, "Python", python(call)),
        button(call, "curl", curl(call)),
      ),
    );
  fill(byId("calls"), rows.length ? rows : h("li", {}, h("small", {}, "The requests that this page sends for you are listed here.")));
}
