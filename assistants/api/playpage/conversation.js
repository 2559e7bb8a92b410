/** The conversation: the messages of the thread, the next one, and its run. */

import { get, post } from "./api.js";
import { forgetSteps } from "./activity.js";
import { attached, forgetAttachments } from "./attachments.js";
import { acting, announce, byId, fill, h, time } from "./dom.js";
import { messageView } from "./messages.js";
import { noteRead } from "./events.js";
import { follow, loadSteps, watch } from "./running.js";
import { runSettings } from "./settings.js";
import { isActive, on, set, state, tell } from "./state.js";
import { trouble } from "./trouble.js";
import { welcome } from "./welcome.js";

const text = /** @type {HTMLTextAreaElement} */ (byId("text"));
const list = byId("messages");
const runs = /** @type {HTMLSelectElement} */ (byId("runs"));
let beginning = false;

export function watchConversation() {
  byId("composer").addEventListener("submit", acting(send));
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    /** @type {HTMLFormElement} */ (byId("composer")).requestSubmit();
  });
  byId("cancel").addEventListener(
    "click",
    acting(async () => {
      const { thread_id: thread, id } = state.run;
      set("run", await post(`/threads/${thread}/runs/${id}/cancel`));
      if (!state.busy) await watch(state.run);
    }),
  );
  runs.addEventListener(
    "change",
    acting(async () => {
      if (state.busy || !state.thread) return;
      showRun(await get(`/threads/${state.thread.id}/runs/${runs.value}`));
    }),
  );
  on("thread", () => {
    if (!beginning) open().catch((error) => announce(error.message, true));
  });
  on("runs", () => {
    if (state.thread) load(state.thread).catch((error) => announce(error.message, true));
  });
  on("assistant", showWith);
  for (const topic of /** @type {const} */ (["run", "busy"]))
    on(topic, () => {
      /** @type {HTMLButtonElement} */ (byId("send")).disabled = state.busy || isActive(state.run);
      list.ariaBusy = String(state.busy); // a screen reader reads an answer once it is complete
    });
  on("run", () => {
    byId("trouble").textContent = trouble(state.run);
  });
  // Images load after their message, and the parts below the list may grow: the end stays in view if it was.
  let atEnd = true;
  const keepEnd = () => {
    if (atEnd) list.scrollTop = list.scrollHeight;
  };
  list.addEventListener("scroll", () => {
    atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 80;
  });
  list.addEventListener("load", keepEnd, true);
  new ResizeObserver(keepEnd).observe(list);
  showWith();
  set("thread", null);
}

function showWith() {
  byId("with").textContent = state.assistant
    ? `to ${state.assistant.name || state.assistant.id}`
    : "No assistant is chosen";
}

async function open() {
  set("run", null);
  forgetSteps();
  fill(list);
  runs.hidden = true;
  if (state.thread) await load(state.thread);
  else welcome(list);
}

/** Show the messages and the runs of a thread. @param {any} thread */
async function load(thread) {
  const [page, made] = await Promise.all([
    get(`/threads/${thread.id}/messages?limit=50`),
    get(`/threads/${thread.id}/runs?limit=50`),
  ]);
  if (state.thread?.id !== thread.id || state.busy) return;
  fill(list, page.has_more && earlier(thread, page.last_id), page.data.reverse().map(viewed));
  list.scrollTop = list.scrollHeight;
  runs.hidden = made.data.length < 2;
  fill(
    runs,
    made.data.map((/** @type {any} */ run) => h("option", { value: run.id }, `${time(run.created_at)} ${run.status}`)),
  );
  if (made.data.length && state.run?.id !== made.data[0].id) showRun(made.data[0]);
}

/** @param {any} run */
function showRun(run) {
  forgetSteps();
  set("run", run);
  runs.value = run.id;
  noteRead(run);
  (isActive(run) ? watch(run) : loadSteps(run)).catch((error) => announce(error.message, true));
}

/** @param {any} message */
function viewed(message) {
  const view = messageView();
  view.show(message);
  return view.element;
}

/** @param {any} thread @param {string} last */
function earlier(thread, last) {
  const button = h(
    "button",
    {
      type: "button",
      class: "quiet",
      onclick: acting(async () => {
        const page = await get(`/threads/${thread.id}/messages?limit=50&after=${last}`);
        button.replaceWith(...[page.has_more ? earlier(thread, page.last_id) : "", ...page.data.reverse().map(viewed)]);
      }),
    },
    "Earlier messages",
  );
  return button;
}

async function send() {
  const said = text.value.trim();
  if (state.busy || isActive(state.run)) return announce("A run is in progress; cancel it first, or wait.", true);
  if (!state.assistant) return announce("Make an assistant first.", true);
  set("busy", true);
  byId("trouble").textContent = "";
  try {
    const { parts, attachments } = await attached();
    if (!said && !parts.length) throw new Error("The message is empty.");
    if (!state.thread) {
      beginning = true;
      set("thread", await post("/threads"));
      fill(list);
      beginning = false;
    }
    const content = parts.length ? [...(said ? [{ type: "text", text: said }] : []), ...parts] : said;
    const message = await post(`/threads/${state.thread.id}/messages`, {
      role: "user",
      content,
      ...(attachments.length ? { attachments } : {}),
    });
    list.append(viewed(message));
    list.scrollTop = list.scrollHeight;
    text.value = "";
    forgetAttachments();
    tell("threads");
    if (parts.length || attachments.length) tell("files");
    await follow(`/threads/${state.thread.id}/runs`, { assistant_id: state.assistant.id, ...runSettings() }, list);
  } catch (error) {
    byId("trouble").textContent = error instanceof Error ? error.message : String(error);
    throw error;
  } finally {
    beginning = false;
    set("busy", false);
  }
}
