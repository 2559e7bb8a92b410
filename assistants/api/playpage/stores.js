/** Vector stores and files: uploads, the status of each file, and a search that shows scores and passages. */

import { download, get, post, remove, upload } from "./api.js";
import { dropping } from "./attachments.js";
import { acting, announce, append, byId, dialog, field, fill, h, picker, size } from "./dom.js";
import { all, listing } from "./lists.js";
import { nameOf, passageOf, textOf } from "./messages.js";
import { on } from "./state.js";

export const showStores = listing("stores", "/vector_stores?limit=20", (/** @type {any} */ store) =>
  h(
    "li",
    {},
    h("button", { type: "button", onclick: acting(() => openStore(store.id)) }, store.name || store.id),
    h("small", {}, `${store.file_counts.completed}/${store.file_counts.total} files`),
  ),
);

export const showFiles = listing("files", "/files?limit=30", (/** @type {any} */ file) =>
  h(
    "li",
    {},
    h(
      "button",
      {
        type: "button",
        title: `${file.filename}, ${file.id}`,
        "aria-label": `Download ${file.filename}`,
        onclick: acting(() => download(file.id)),
      },
      file.filename,
    ),
    h("small", {}, size(file.bytes)),
    h(
      "button",
      {
        type: "button",
        class: "quiet",
        "aria-label": `Delete ${file.filename}`,
        onclick: acting(async () => {
          if (!confirm(`Delete ${file.filename}?`)) return;
          await remove(`/files/${file.id}`);
          await showFiles();
        }),
      },
      "✕",
    ),
  ),
);

export function watchStores() {
  on("files", () => void showFiles());
  byId("store-new").addEventListener(
    "click",
    acting(async () => {
      const name = h("input", { type: "text", required: true });
      const shown = dialog(
        "New vector store",
        h(
          "form",
          {
            onsubmit: acting(async () => {
              const store = await post("/vector_stores", { name: name.value });
              shown.close();
              await showStores();
              await openStore(store.id);
            }),
          },
          field("Name of the store", name),
          h("button", { type: "submit", class: "main" }, "Create"),
        ),
      );
    }),
  );
  const input = /** @type {HTMLInputElement} */ (byId("files-input"));
  const take = async (/** @type {File[]} */ files) => {
    await Promise.all(files.map((file) => sent(file, byId("uploads"))));
    await showFiles();
  };
  input.addEventListener(
    "change",
    acting(async () => {
      const files = [...(input.files ?? [])];
      input.value = "";
      await take(files);
    }),
  );
  dropping(byId("files-drop"), (files) => {
    take(files).catch((error) => announce(error.message, true));
  });
}

/** Upload a file and show how far it is; null if it failed, which is shown. @param {File} file @param {HTMLElement} list @returns {Promise<any>} */
async function sent(file, list) {
  const bar = h("progress", { max: 1, value: 0, "aria-label": `Upload of ${file.name}` });
  const row = h("li", {}, file.name, bar);
  list.append(row);
  try {
    const made = await upload(file, "assistants", (part) => {
      bar.value = part;
    });
    row.remove();
    announce(`${file.name} is uploaded.`);
    return made;
  } catch (error) {
    bar.replaceWith(h("small", { class: "bad" }, error instanceof Error ? error.message : String(error)));
    return null;
  }
}

/** The dialog of a store. @param {string} id */
async function openStore(id) {
  const store = await get(`/vector_stores/${id}`);
  const files = h("ul", { class: "choices", "aria-label": "Files of the store" });
  const uploads = h("ul", { class: "uploads", "aria-label": "Uploads to the store" });
  const results = h("div", { role: "status", "aria-label": "Results" });
  const query = h("input", { type: "text", required: true });
  const input = h("input", { type: "file", multiple: true });
  const existing = h("select", {});
  const put = async (/** @type {string} */ fileId) => {
    await post(`/vector_stores/${id}/files`, { file_id: fileId });
    await watchFiles();
  };
  const take = async (/** @type {File[]} */ chosen) => {
    for (const made of await Promise.all(chosen.map((file) => sent(file, uploads)))) {
      if (made)
        await put(made.id).catch((error) =>
          append(uploads, h("li", { class: "bad" }, `${made.filename}: ${error.message}`)),
        );
    }
    await showFiles();
  };
  input.addEventListener(
    "change",
    acting(() => {
      const chosen = [...(input.files ?? [])];
      input.value = "";
      return take(chosen);
    }),
  );
  const drop = picker("Choose files, or drop them here", input);
  const showMembers = async () => {
    const members = await all(`/vector_stores/${id}/files`);
    fill(
      files,
      ...(await Promise.all(
        members.map(async (each) => {
          const name = await nameOf(each.id);
          return h(
            "li",
            {},
            h("span", {}, `${name} `),
            h(
              "small",
              { class: each.status === "completed" ? "good" : each.status === "failed" ? "bad" : "" },
              each.status,
              each.last_error ? `: ${each.last_error.message}` : "",
            ),
            each.status === "in_progress" && h("progress", { "aria-label": `${name} is read` }),
            h(
              "button",
              {
                type: "button",
                class: "quiet",
                "aria-label": `Take ${name} out`,
                onclick: acting(async () => {
                  await remove(`/vector_stores/${id}/files/${each.id}`);
                  await showMembers();
                }),
              },
              "✕",
            ),
          );
        }),
      )),
    );
    if (!members.length) fill(files, h("li", {}, h("small", {}, "No files yet: add some, and they can be searched.")));
    return members.some((each) => each.status === "in_progress");
  };
  let watching = false;
  const watchFiles = async () => {
    if (watching) return;
    watching = true;
    try {
      while ((await showMembers()) && shown.open) await new Promise((resolve) => setTimeout(resolve, 700));
    } finally {
      watching = false;
    }
  };
  const search = h(
    "form",
    {
      onsubmit: acting(async () => {
        const page = await post(`/vector_stores/${id}/search`, { query: query.value, max_num_results: 10 });
        fill(
          results,
          page.data.length
            ? page.data.map((/** @type {any} */ each) =>
                h("div", {}, h("strong", {}, each.filename), passageOf(textOf(each), each.score)),
              )
            : h("p", {}, "Nothing was found. Files can be searched once they are completed."),
        );
      }),
    },
    h("div", { class: "row" }, field("Try a search", query), h("button", { type: "submit" }, "Search")),
  );
  const add = h(
    "button",
    { type: "button", onclick: acting(() => (existing.value ? put(existing.value) : Promise.resolve())) },
    "Add",
  );
  const shown = dialog(
    store.name || store.id,
    h("small", {}, store.id),
    files,
    uploads,
    drop,
    h("div", { class: "row" }, field("An uploaded file", existing), add),
    search,
    results,
    h(
      "div",
      { class: "row" },
      h(
        "button",
        {
          type: "button",
          onclick: acting(async () => {
            if (!confirm("Delete this vector store? Its files stay.")) return;
            await remove(`/vector_stores/${id}`);
            shown.close();
          }),
        },
        "Delete store",
      ),
    ),
  );
  shown.addEventListener("close", () => void showStores());
  dropping(drop, (chosen) => {
    take(chosen).catch((error) => announce(error.message, true));
  });
  fill(
    existing,
    h("option", { value: "" }, "choose"),
    (await all("/files")).map((each) => h("option", { value: each.id }, each.filename)),
  );
  await watchFiles();
}
