/** The events of each run: those of its stream; of a run without a stream, its states and stored times. */

import { json } from "./colours.js";
import { byId, fill, h } from "./dom.js";
import { on, state } from "./state.js";

const EVENTS = 400;
const RUNS = 20;
const ENDS = ["completed", "failed", "cancelled", "expired"];

/** @typedef {{time: string, name: string, data: any}} Entry */

/** The latest events of each run first. @type {Map<string, {streamed: boolean, entries: Entry[]}>} */
const runs = new Map();
let shown = "";

export function watchEvents() {
  on("run", () => {
    if (state.run?.id !== shown) show();
  });
  show();
}

/** An event of a stream. @param {string} event @param {any} data */
export function noteEvent(event, data) {
  const run = data?.object === "thread.run" ? data.id : (data?.run_id ?? state.run?.id);
  if (run) note(run, event, data, true);
}

/** A run as it was read; noted if its status is another one than before. @param {any} run */
export function noteRead(run) {
  const latest = runs.get(run.id)?.entries.find((each) => each.data?.object === "thread.run");
  if (latest?.data.status !== run.status) note(run.id, `read: ${run.status}`, run, false);
}

/** @param {string} id @param {string} name @param {any} data @param {boolean} streamed */
function note(id, name, data, streamed) {
  const known = runs.get(id) ?? { streamed: false, entries: [] };
  const first = streamed && !known.streamed;
  runs.set(id, known);
  known.streamed ||= streamed;
  const entry = { time: new Date().toLocaleTimeString(), name, data };
  known.entries.unshift(entry);
  known.entries.length = Math.min(known.entries.length, EVENTS);
  if (runs.size > RUNS) runs.delete(runs.keys().next().value ?? "");
  if (id !== shown) return;
  if (first) return show();
  const list = byId("events");
  list.prepend(row(entry));
  if (list.childElementCount > EVENTS) list.lastElementChild?.remove();
  count(known.entries.length);
}

/** @param {Entry} entry */
function row({ time, name, data }) {
  const details = h(
    "details",
    {
      ontoggle: () => {
        if (details.open && details.childElementCount === 1) details.append(json(data, name));
      },
    },
    h("summary", {}, h("small", {}, time), ` ${name}`),
  );
  return h("li", {}, details);
}

/** @param {number} number */
function count(number) {
  byId("events-count").textContent = String(number);
}

function show() {
  shown = state.run?.id ?? "";
  const known = runs.get(shown);
  fill(byId("events"), (known?.entries ?? []).map(row));
  count(known?.entries.length ?? 0);
  byId("events-note").textContent = !shown
    ? "The events of a run appear here as they come."
    : known?.streamed
      ? "The events of this run's stream, the latest first."
      : "This page did not stream this run, so it has none of its events. Below are the states that it has read since the run " +
        "was opened here, then the times that the service keeps.";
  byId("history").hidden = !shown || !!known?.streamed;
}

/** The times that the service keeps of a run and its steps, the latest first. @param {any} run @param {any[]} steps */
export function showHistory(run, steps) {
  if (byId("history").hidden) return;
  const tools = (/** @type {any} */ step) =>
    step.type === "message_creation"
      ? "message"
      : (step.step_details.tool_calls ?? []).map((/** @type {any} */ each) => each.function?.name ?? each.type).join(", ");
  /** @type {[number | null, string][]} */
  const times = [
    ["created", run],
    ["started", run],
    ...steps.flatMap((step) => ["created", ...ENDS].map((name) => /** @type {[string, any]} */ ([name, step]))),
    ...ENDS.map((name) => /** @type {[string, any]} */ ([name, run])),
  ].map(([name, each]) => [each[`${name}_at`], each === run ? `run ${name}` : `step ${name}: ${tools(each)}`]);
  const kept = times.filter(([at]) => at).sort(([one], [other]) => Number(one) - Number(other));
  fill(
    byId("history"),
    kept.reverse().map(([at, text]) =>
      h("li", {}, h("small", {}, new Date(Number(at) * 1000).toLocaleTimeString()), ` ${text}`),
    ),
  );
}
