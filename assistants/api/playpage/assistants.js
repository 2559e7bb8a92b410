/** The assistants, and the editor of one. */

import { get, post, remove } from "./api.js";
import { acting, announce, append, byId, dialog, field, h, select, ticked } from "./dom.js";
import { functionEditor } from "./functions.js";
import { all, listing } from "./lists.js";
import { complaints, isObject, jsonEditor } from "./schema.js";
import { on, set, state } from "./state.js";

const NAME = /^[A-Za-z0-9_-]{1,64}$/;

/** Fill the list, and choose the first assistant if none is chosen. */
export const showAssistants = listing("assistants", "/assistants?limit=20", (assistant) => {
  if (!state.assistant) set("assistant", assistant);
  return row(assistant);
});

/** @param {any} assistant */
function row(assistant) {
  const choose = h(
    "button",
    { type: "button", onclick: () => set("assistant", assistant) },
    assistant.name || assistant.id,
  );
  choose.dataset.id = assistant.id;
  if (state.assistant?.id === assistant.id) choose.setAttribute("aria-current", "true");
  const edit = h(
    "button",
    {
      type: "button",
      class: "quiet",
      "aria-label": `Edit ${assistant.name || assistant.id}`,
      onclick: acting(async () => editor(await get(`/assistants/${assistant.id}`))),
    },
    "Edit",
  );
  return h("li", {}, choose, h("small", {}, assistant.model), edit);
}

export function watchAssistants() {
  byId("assistant-new").addEventListener(
    "click",
    acting(() => editor(null)),
  );
  on("assistant", () => {
    for (const each of byId("assistants").querySelectorAll("button[data-id]")) {
      if (/** @type {HTMLElement} */ (each).dataset.id === state.assistant?.id)
        each.setAttribute("aria-current", "true");
      else each.removeAttribute("aria-current");
    }
  });
}

/** The dialog in which every field of an assistant can be changed. @param {any | null} assistant null: a new one */
async function editor(assistant) {
  const [stores, files, models] = await Promise.all([
    all("/vector_stores"),
    all("/files"),
    get("/models").then(
      (list) => list.data,
      () => [],
    ),
  ]);
  const text = (/** @type {string} */ key, /** @type {Record<string, any>} */ more = {}) =>
    h("input", { type: "text", value: assistant?.[key] ?? "", ...more });
  const number = (/** @type {any} */ value, /** @type {number} */ max, /** @type {string} */ step) =>
    h("input", { type: "number", min: "0", max: String(max), step, value: value ?? "" });
  const tool = (/** @type {string} */ type) =>
    (assistant?.tools ?? []).find((/** @type {any} */ each) => each.type === type);
  const resources = assistant?.tool_resources ?? {};

  const model = text("model", { required: true, value: assistant?.model ?? "gpt-4o" });
  model.setAttribute("list", "models");
  const name = text("name");
  const description = text("description");
  const instructions = h("textarea", { rows: 5, value: assistant?.instructions ?? "" });
  const temperature = number(assistant?.temperature, 2, "any");
  const topP = number(assistant?.top_p, 1, "any");
  const effort = select(["", "none", "minimal", "low", "medium", "high", "xhigh", "max"], assistant?.reasoning_effort ?? "");
  const format = assistant?.response_format ?? "auto";
  const formats = select(["auto", "text", "json_object", "json_schema"], format.type ?? format);
  const formatEditor = jsonEditor(
    "JSON schema of the answer",
    format.json_schema ?? {
      name: "answer",
      strict: true,
      schema: { type: "object", properties: {}, required: [], additionalProperties: false },
    },
    (value) =>
      !isObject(value) || !NAME.test(value.name ?? "")
        ? ['It needs a "name" of letters, digits, _ or -.']
        : complaints(value.schema ?? {}, value.strict === true),
    "An object with name, schema and strict.",
  );
  const showFormat = () => {
    formatEditor.element.hidden = formats.value !== "json_schema";
  };
  formats.addEventListener("change", showFormat);
  showFormat();
  const metadata = jsonEditor("Metadata", assistant?.metadata ?? {}, (value) =>
    isObject(value) && Object.values(value).every((each) => typeof each === "string")
      ? []
      : ["It has to be an object of strings."],
  );

  const searches = h("input", { type: "checkbox", checked: !!tool("file_search") });
  const results = number(tool("file_search")?.file_search?.max_num_results, 50, "1");
  const threshold = number(tool("file_search")?.file_search?.ranking_options?.score_threshold, 1, "any");
  const store = select(
    ["", ...stores.map((each) => each.id)],
    resources.file_search?.vector_store_ids?.[0] ?? "",
    (id) => stores.find((each) => each.id === id)?.name || id || "none",
  );
  const codes = h("input", { type: "checkbox", checked: !!tool("code_interpreter") });
  const retrieves = h("input", { type: "checkbox", checked: !!tool("retrieval") });
  const chosen = resources.code_interpreter?.file_ids ?? [];
  const codeFiles = files.map((each) =>
    h("input", { type: "checkbox", value: each.id, checked: chosen.includes(each.id) }),
  );
  const searchFields = h(
    "div",
    { class: "nested" },
    field("Vector store", store),
    h("div", { class: "pair" }, field("Results at most", results), field("Score at least", threshold)),
  );
  const codeFields = h(
    "fieldset",
    { class: "nested" },
    h("legend", {}, "Files of the code interpreter"),
    codeFiles.length
      ? codeFiles.map((box, index) => ticked(files[index].filename, box))
      : h("small", {}, "No files yet: upload some, or attach them to a message."),
  );
  const showTools = () => {
    searchFields.hidden = !searches.checked;
    codeFields.hidden = !codes.checked;
  };
  for (const box of [searches, codes]) box.addEventListener("change", showTools);
  showTools();
  const functions = (assistant?.tools ?? [])
    .filter((/** @type {any} */ each) => each.type === "function")
    .map((/** @type {any} */ each) => functionEditor(each.function));
  const functionList = h(
    "div",
    {},
    functions.map((/** @type {any} */ each) => each.element),
  );
  const addFunction = h(
    "button",
    {
      type: "button",
      onclick: () => {
        const added = functionEditor({ name: "", parameters: { type: "object", properties: {}, required: [] } });
        functions.push(added);
        functionList.append(added.element);
        added.focus();
      },
    },
    "Add function",
  );

  const body = () => {
    const settled = (/** @type {HTMLInputElement} */ input) => (input.value === "" ? null : Number(input.value));
    const options = {
      ...(results.value ? { max_num_results: Number(results.value) } : {}),
      ...(threshold.value
        ? {
            ranking_options: {
              ...tool("file_search")?.file_search?.ranking_options,
              score_threshold: Number(threshold.value),
            },
          }
        : {}),
    };
    const tools = [
      ...(searches.checked
        ? [{ type: "file_search", ...(Object.keys(options).length ? { file_search: options } : {}) }]
        : []),
      ...(codes.checked ? [{ type: "code_interpreter" }] : []),
      ...(retrieves.checked ? [{ type: "retrieval" }] : []),
      ...functions
        .filter((/** @type {any} */ each) => each.element.isConnected)
        .map((/** @type {any} */ each) => each.value()),
    ];
    const toolResources = {
      ...(searches.checked ? { file_search: { vector_store_ids: store.value ? [store.value] : [] } } : {}),
      ...(codes.checked
        ? { code_interpreter: { file_ids: codeFiles.filter((box) => box.checked).map((box) => box.value) } }
        : {}),
    };
    return {
      model: model.value.trim(),
      name: name.value || null,
      description: description.value || null,
      instructions: instructions.value || null,
      tools,
      tool_resources: toolResources,
      temperature: settled(temperature),
      top_p: settled(topP),
      ...(effort.value || assistant?.reasoning_effort ? { reasoning_effort: effort.value || null } : {}),
      response_format:
        formats.value === "auto"
          ? "auto"
          : formats.value === "json_schema"
            ? { type: "json_schema", json_schema: formatEditor.value() }
            : { type: formats.value },
      metadata: metadata.value() ?? {},
    };
  };
  const form = h("form", {
    onsubmit: acting(async () => {
      let saved;
      wrong.textContent = "";
      try {
        saved = await post(assistant ? `/assistants/${assistant.id}` : "/assistants", body());
      } catch (error) {
        wrong.textContent = error instanceof Error ? error.message : String(error);
        throw error;
      }
      set("assistant", saved);
      shown.close();
      if (!assistant) byId("columns").dataset.shown = "middle";
      await showAssistants();
      announce(`${saved.name || saved.id} is saved.`);
    }),
  });
  const wrong = h("p", { class: "bad", role: "alert" });
  append(
    form,
    h(
      "div",
      { class: "scroll" },
      h("div", { class: "pair" }, field("Name", name), field("Model", model)),
      field("Description", description),
      h(
        "datalist",
        { id: "models" },
        models.map((/** @type {any} */ each) => h("option", { value: each.id })),
      ),
      field("Instructions", instructions),
      h(
        "fieldset",
        {},
        h("legend", {}, "Tools"),
        ticked("file_search", searches),
        searchFields,
        ticked("code_interpreter", codes),
        codeFields,
        ticked("retrieval (of v1)", retrieves),
      ),
      h("fieldset", {}, h("legend", {}, "Functions"), functionList, addFunction),
      h(
        "fieldset",
        {},
        h("legend", {}, "Answer"),
        h("div", { class: "pair" }, field("Temperature (0 to 2)", temperature), field("top_p (0 to 1)", topP)),
        h("div", { class: "pair" }, field("Response format", formats), field("Reasoning effort", effort)),
        formatEditor.element,
      ),
      metadata.element,
    ),
    wrong,
    h(
      "div",
      { class: "row" },
      assistant &&
        h(
          "button",
          {
            type: "button",
            onclick: acting(async () => {
              if (!confirm(`Delete ${assistant.name || assistant.id}?`)) return;
              await remove(`/assistants/${assistant.id}`);
              if (state.assistant?.id === assistant.id) set("assistant", null);
              shown.close();
              await showAssistants();
            }),
          },
          "Delete",
        ),
      h("button", { type: "submit", class: "main" }, "Save"),
    ),
  );
  const shown = dialog(assistant ? "Edit assistant" : "New assistant", form);
  name.focus();
}
