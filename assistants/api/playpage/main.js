/** The page: its key, its columns, its theme, and the parts that it is made of. */

import { watchAction } from "./action.js";
import { watchActivity } from "./activity.js";
import { forgetKey, get, Refused, setKey } from "./api.js";
import { showAssistants, watchAssistants } from "./assistants.js";
import { watchAttachments } from "./attachments.js";
import { watchConversation } from "./conversation.js";
import { acting, announce, byId, dialog, field, h } from "./dom.js";
import { watchEvents } from "./events.js";
import { watchSettings } from "./settings.js";
import { set } from "./state.js";
import { showFiles, showStores, watchStores } from "./stores.js";
import { showThreads, watchThreads } from "./threads.js";
import { watchWelcome } from "./welcome.js";

const THEME = "assistants-playground-theme";

/** Show the objects of the service; ask for a key where it needs one. */
async function begin() {
  try {
    await get("/assistants?limit=1");
  } catch (error) {
    if (error instanceof Refused && error.status === 401) return askForKey(error.message);
    throw error;
  }
  await Promise.all([showAssistants(), showThreads(), showStores(), showFiles()]);
}

/** @param {string} why */
function askForKey(why) {
  const key = h("input", { type: "password", autocomplete: "off", required: true });
  const shown = dialog(
    "Key",
    h("p", {}, why),
    h(
      "form",
      {
        onsubmit: acting(async () => {
          setKey(key.value.trim());
          shown.close();
          set("assistant", null);
          set("thread", null);
          await begin();
        }),
      },
      field("Key of the service", key, "It is kept in this tab only, until the tab is closed."),
      h(
        "div",
        { class: "row" },
        h(
          "button",
          {
            type: "button",
            onclick: () => {
              forgetKey();
              announce("The key is forgotten.");
              shown.close();
            },
          },
          "Forget the key",
        ),
        h("button", { type: "submit", class: "main" }, "Use"),
      ),
    ),
  );
  key.focus();
}

function watchTheme() {
  const root = document.documentElement;
  const dark = () => root.dataset.theme === "dark";
  const show = (/** @type {string} */ theme) => {
    root.dataset.theme = theme;
    byId("theme").textContent = dark() ? "Light" : "Dark";
  };
  const system = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => localStorage.getItem(THEME) ?? (system.matches ? "dark" : "light");
  show(chosen());
  system.addEventListener("change", () => show(chosen()));
  byId("theme").addEventListener("click", () => {
    show(dark() ? "light" : "dark");
    localStorage.setItem(THEME, root.dataset.theme ?? "light");
  });
}

function watchColumns() {
  const buttons = [...byId("tabs").querySelectorAll("button")];
  const columns = byId("columns");
  for (const button of buttons)
    button.addEventListener("click", () => {
      columns.dataset.shown = button.dataset.column;
    });
  new MutationObserver(() => {
    for (const each of buttons)
      each.setAttribute("aria-pressed", String(each.dataset.column === columns.dataset.shown));
  }).observe(columns, { attributeFilter: ["data-shown"] });
}

watchTheme();
watchColumns();
watchEvents();
watchActivity();
watchAssistants();
watchThreads();
watchStores();
watchSettings();
watchAttachments();
watchAction();
watchWelcome();
watchConversation();
byId("key").addEventListener("click", () => askForKey("Another key shows the project that it is of."));
begin().catch((error) => announce(error.message, true));
