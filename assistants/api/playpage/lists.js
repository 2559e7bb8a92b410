/** Lists of objects, page by page. */

import { get } from "./api.js";
import { acting, announce, byId, fill, h } from "./dom.js";

/**
 * A list in the element `id`, with the button `id-more` for its next page.
 * @template {{id: string}} T
 * @param {string} id @param {string} path with `?` and its query
 * @param {(each: T) => Promise<HTMLElement> | HTMLElement} row
 */
export function listing(id, path, row) {
  const list = byId(id);
  const more = byId(`${id}-more`);
  let last = "";
  const load = async (/** @type {boolean} */ anew) => {
    const page = await get(`${path}${!anew && last ? `&after=${last}` : ""}`);
    const rows = await Promise.all(page.data.map(row));
    if (anew) fill(list, ...rows);
    else list.append(...rows);
    if (!list.childElementCount) fill(list, h("li", {}, h("small", {}, "None yet")));
    last = page.last_id ?? "";
    more.hidden = !page.has_more;
  };
  more.addEventListener(
    "click",
    acting(() => load(false)),
  );
  return () => load(true).catch((error) => announce(error.message, true));
}

/** All of a short list. @param {string} path @returns {Promise<any[]>} */
export async function all(path) {
  const found = [];
  let after = "";
  for (let page = 0; page < 20; page += 1) {
    const { data, has_more, last_id } = await get(`${path}${path.includes("?") ? "&" : "?"}limit=100${after}`);
    found.push(...data);
    if (!has_more) break;
    after = `&after=${last_id}`;
  }
  return found;
}
