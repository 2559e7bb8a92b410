/** A run, followed from its stream or, where another process drives it, by asking for it. */

import { get, stream } from "./api.js";
import { announce } from "./dom.js";
import { messageView } from "./messages.js";
import { forgetSteps, showStep } from "./activity.js";
import { noteEvent, noteRead } from "./events.js";
import { isActive, set, state, tell } from "./state.js";

const INCLUDE = encodeURI("include[]=step_details.tool_calls[*].file_search.results[*].content");

/**
 * Start or continue a run by a call that streams; messages are put into `list`.
 * @param {string} path @param {any} body @param {HTMLElement} list
 */
export async function follow(path, body, list) {
  /** @type {Map<string, {message: any, view: ReturnType<typeof messageView>}>} */
  const messages = new Map();
  const dirty = new Set();
  const draw = () => {
    const bottom = list.scrollHeight - list.scrollTop - list.clientHeight < 80;
    for (const id of dirty) messages.get(id)?.view.show(messages.get(id)?.message);
    dirty.clear();
    if (bottom) list.scrollTop = list.scrollHeight;
  };
  set("busy", true);
  try {
    for await (const { event, data } of stream(path, body)) {
      noteEvent(event, data);
      if (data.object === "thread.run") {
        if (data.id !== state.run?.id) forgetSteps();
        set("run", data);
      } else if (data.object === "thread.run.step") showStep(data);
      else if (data.object === "thread.run.step.delta") showStep(data, true);
      else if (data.object === "thread.message") {
        const known = messages.get(data.id) ?? { message: data, view: messageView() };
        known.message = data;
        messages.set(data.id, known);
        if (!known.view.element.isConnected) list.append(known.view.element);
        if (!dirty.size) requestAnimationFrame(draw);
        dirty.add(data.id);
      } else if (data.object === "thread.message.delta") {
        const known = messages.get(data.id);
        if (!known) continue;
        extend(known.message, data.delta);
        if (!dirty.size) requestAnimationFrame(draw);
        dirty.add(data.id);
      } else if (event === "error")
        throw new Error(data.message ?? data.error?.message ?? "The stream ended with an error.");
    }
  } catch (error) {
    if (!isActive(state.run)) throw error;
    announce(error instanceof Error ? error.message : String(error), true);
  } finally {
    draw();
    set("busy", false);
  }
  if (isActive(state.run) && state.run.status !== "requires_action") await watch(state.run);
  else told();
}

/** @param {any} message @param {any} delta */
function extend(message, delta) {
  for (const part of delta.content ?? []) {
    const there = (message.content[part.index] ??=
      part.type === "text" ? { type: "text", text: { value: "", annotations: [] } } : part);
    if (part.type !== "text" || !there.text) continue;
    there.text.value += part.text?.value ?? "";
    there.text.annotations.push(...(part.text?.annotations ?? []));
  }
}

/** Ask for a run until it has ended, or this page streams it. @param {any} run */
export async function watch(run) {
  const path = `/threads/${run.thread_id}/runs/${run.id}?wait=2`; // it is answered at once when the run ends
  let status = "";
  while (isActive(run) && state.thread?.id === run.thread_id && state.run?.id === run.id) {
    noteRead(run);
    await loadSteps(run);
    const waits = run.status === "requires_action";
    if (waits && status !== run.status) told();
    status = run.status;
    await new Promise((resolve) => setTimeout(resolve, waits ? 3000 : 1000));
    run = await get(path);
    if (state.busy) return;
    if (state.run?.id === run.id) set("run", run);
  }
  if (state.run?.id !== run.id) return;
  noteRead(run);
  await loadSteps(run);
  told();
  tell("runs");
}

/** @param {any} run */
export async function loadSteps(run) {
  const page = await get(`/threads/${run.thread_id}/runs/${run.id}/steps?limit=100&order=asc&${INCLUDE}`);
  if (state.run?.id === run.id) page.data.forEach((/** @type {any} */ step) => showStep(step));
}

function told() {
  const run = state.run;
  if (!run) return;
  if (run.tools.some((/** @type {any} */ each) => each.type === "code_interpreter")) tell("files");
  const why = run.last_error?.message ?? run.incomplete_details?.reason ?? "";
  announce(
    run.status === "requires_action" ? "The run awaits outputs of functions." : `The run is ${run.status}. ${why}`,
    run.status === "failed",
  );
}
