/// Single keys: `j` `k` move through rows, and every element with `data-key` is pressed by its key ("/", "c", "g i").
import { isComposingKey } from "./ime.ts";
import { openKeys } from "./palette.ts";
import { tickRow } from "./ticks.ts";

const sequenceMs = 1000;

export function watchKeys(): void {
  let prefix = "";
  let prefixAt = 0;
  document.addEventListener("keydown", (event) => {
    if (document.body.dataset["keys"] !== "on" || isComposingKey(event)) return;
    if (document.querySelector("dialog[open]")) return;
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;

    const keys = prefix && event.timeStamp - prefixAt < sequenceMs ? `${prefix} ${event.key}` : event.key;
    prefix = event.key === "g" ? "g" : "";
    prefixAt = event.timeStamp;

    if (keys === "j" || keys === "k") {
      moveRow(keys === "j" ? 1 : -1);
    } else if (keys === "Enter" && event.target === document.body) {
      document.querySelector<HTMLElement>("tr.at a")?.click();
    } else if (keys === "?") {
      openKeys();
    } else if (keys === "x") {
      if (!tickRow()) return;
    } else {
      const element = document.querySelector<HTMLElement>(`[data-key="${CSS.escape(keys)}"]`);
      if (!element) return;
      if (element instanceof HTMLInputElement) element.focus();
      else element.click();
    }
    event.preventDefault();
  });
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || target.matches("input, select, textarea, [role=listbox]"));
}

/** Lines of the inbox are links and take the focus; rows of a table carry the mark, Enter opens them. */
function moveRow(step: number): void {
  const rows = [...document.querySelectorAll<HTMLElement>("a[data-row], tr[data-href]")].filter((row) => row.offsetParent);
  if (rows.length === 0) return;
  const at = rows.findIndex((row) => row === document.activeElement || row.classList.contains("at"));
  const next = rows[Math.min(Math.max(at + step, 0), rows.length - 1)]!;
  for (const row of rows) row.classList.toggle("at", row === next);
  if (next.matches("a")) next.focus();
  next.scrollIntoView({ block: "nearest" });
}
