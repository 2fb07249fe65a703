/// Wires a page: what is here makes links and forms quicker, nothing here makes them possible.
import htmx from "htmx.org";
import { watchDrafts } from "./draft.ts";
import { watchForms } from "./evaluate.ts";
import { guardComposition } from "./ime.ts";
import { watchKeys } from "./keys.ts";
import { watchLive } from "./live.ts";
import { notice, watchNotices } from "./notice.ts";
import { openKeys, watchPalette } from "./palette.ts";
import { watchTicks } from "./ticks.ts";
import { readDates, watchTimes } from "./time.ts";
import { watchWork } from "./work.ts";

/** Islands by element name: loaded when such an element appears. */
const islands: Record<string, () => Promise<unknown>> = {
  "fw-chart": () => import("./islands/chart.ts"),
  "fw-grid": () => import("./islands/grid.ts"),
  "fw-lookup": () => import("./islands/lookup.ts"),
};

function loadIslands(): void {
  for (const [name, load] of Object.entries(islands)) {
    if (!customElements.get(name) && document.querySelector(name)) void load();
  }
}

/** An address names only what is set: empty parameters of a filter form are left out. */
function dropEmptyParameters(event: Event): void {
  const { request } = (event as CustomEvent).detail.ctx as { request: { method: string; body: FormData } };
  if (request.method !== "GET") return;
  for (const name of new Set(request.body.keys())) {
    const values = request.body.getAll(name).filter((value) => value !== "");
    request.body.delete(name);
    for (const value of values) request.body.append(name, value);
  }
}

/** Menus and chips are `<details>`: one closes when something else is clicked, or by Escape. */
function closeMenus(except: Node | null): void {
  for (const menu of document.querySelectorAll<HTMLDetailsElement>("details.menu[open]")) {
    if (!except || !menu.contains(except)) menu.open = false;
  }
}

function onClick(event: MouseEvent): void {
  const target = event.target as Element;
  closeMenus(target.closest(".panel [popovertarget]") ? null : target);

  if (target.closest("[data-keys-open]")) openKeys();

  const copy = target.closest<HTMLElement>("[data-copy]");
  if (copy) void navigator.clipboard.writeText(document.querySelector(copy.dataset["copy"] ?? "")?.textContent ?? "");

  // A row is as good as its link, unless text is being selected.
  const row = target.closest<HTMLElement>("tr[data-href]");
  if (row && !target.closest("a, button, input, label, td.tick") && !getSelection()?.toString()) row.querySelector("a")?.click();

  // The task opened beside the list is the current line.
  const line = target.closest("a.line[hx-get]");
  if (line) {
    for (const other of document.querySelectorAll("a.line[aria-current]")) other.removeAttribute("aria-current");
    line.setAttribute("aria-current", "true");
  }
}

function settle(): void {
  loadIslands();
  watchTimes();
  readDates();
}

guardComposition();
watchNotices();
watchKeys();
watchForms();
watchWork();
watchDrafts();
watchPalette();
watchTicks();
watchLive();
settle();

document.querySelector<HTMLElement>("[data-focus]")?.focus();
document.querySelector(".split .line[aria-current]")?.scrollIntoView({ block: "nearest" });
document.addEventListener("click", onClick);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") closeMenus(null);
});
document.addEventListener("htmx:config:request", dropEmptyParameters);
document.addEventListener("htmx:after:settle", settle);
document.addEventListener("htmx:error", () => notice("bad"));

export { htmx };
