/// ⌘K / Ctrl+K: go to any page, find a record, press any button of this page. And `?`: the keys of this page.
import { isComposingKey } from "./ime.ts";

type Entry = { label: string; hint: string; run: () => void };
type Group = { label: string; items: { title: string; href: string; field: string; text: string }[] };

const pauseMs = 150;

export function watchPalette(): void {
  document.addEventListener("keydown", (event) => {
    if (isComposingKey(event) || event.altKey || event.shiftKey) return;
    if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      openPalette();
    }
  });
  document.addEventListener("click", (event) => {
    const link = (event.target as Element).closest("[data-palette]");
    if (!link || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    openPalette();
  });
}

function dialogOf(id: string): HTMLDialogElement | null {
  const dialog = document.querySelector<HTMLDialogElement>(`dialog#${id}`);
  if (dialog && !dialog.open) dialog.showModal();
  return dialog;
}

/** The list of keys, as the elements of this page name them. */
export function openKeys(): void {
  const list = dialogOf("keys")?.querySelector("dl");
  if (!list) return;
  for (const known of list.querySelectorAll("[data-found]")) known.remove();
  for (const element of document.querySelectorAll<HTMLElement>("[data-key]")) {
    const row = document.createElement("div");
    row.dataset["found"] = "";
    const [key, label] = [document.createElement("dt"), document.createElement("dd")];
    key.append(Object.assign(document.createElement("kbd"), { textContent: element.dataset["key"] ?? "" }));
    label.textContent = element.title.replace(/ \([^)]*\)$/, "") || element.textContent?.trim() || "";
    row.append(key, label);
    list.append(row);
  }
}

function openPalette(): void {
  const dialog = dialogOf("palette");
  const input = dialog?.querySelector<HTMLInputElement>("input");
  if (!dialog || !input) return;
  input.value = "";
  input.select();
  show(dialog, input, here(""));
  if (dialog.dataset["wired"]) return;
  dialog.dataset["wired"] = "1";
  let timer = 0;
  let asked: AbortController | undefined;
  input.addEventListener("input", () => {
    const text = input.value.trim();
    show(dialog, input, here(text));
    clearTimeout(timer);
    asked?.abort();
    if (!text) return;
    asked = new AbortController();
    const { signal } = asked;
    timer = window.setTimeout(async () => {
      const records = await find(text, signal);
      if (!signal.aborted) show(dialog, input, [...here(text), ...records]);
    }, pauseMs);
  });
  input.addEventListener("keydown", (event) => {
    if (isComposingKey(event)) return;
    const options = [...dialog.querySelectorAll<HTMLElement>("[role=option]")];
    const at = options.findIndex((option) => option.ariaSelected === "true");
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const next = options[Math.min(Math.max(at + (event.key === "ArrowDown" ? 1 : -1), 0), options.length - 1)];
      if (next) choose(options, next, input);
    } else if (event.key === "Escape") {
      dialog.close(); // a search field would only be emptied
    } else if (event.key === "Enter") {
      // Before the answer is there, or with nothing found, the page of results takes over.
      if (options[at]) options[at].click();
      else location.assign(`/search?q=${encodeURIComponent(input.value.trim())}`);
    } else {
      return;
    }
    event.preventDefault();
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
}

/** Pages of the side bar and acts of this page whose words hold the text. */
function here(text: string): Entry[] {
  const wanted = text.toLowerCase();
  const entries: Entry[] = [];
  const seen = new Set<string>();
  const selector = "main .actions :is(a, button), .selection:not([hidden]) button, #nav nav a, .tabs a";
  for (const element of document.querySelectorAll<HTMLElement>(selector)) {
    if (element.matches("[popovertarget]") || element.closest("dialog, .dialog")) continue;
    const label = (element.querySelector("span")?.textContent ?? element.textContent ?? "").trim();
    if (!label || seen.has(label) || !label.toLowerCase().includes(wanted)) continue;
    seen.add(label);
    entries.push({ label, hint: element.dataset["key"] ?? "", run: () => element.click() });
  }
  return entries;
}

async function find(text: string, signal: AbortSignal): Promise<Entry[]> {
  try {
    const answer = await fetch(`/api/search?limit=4&q=${encodeURIComponent(text)}`, { signal });
    if (!answer.ok) return [];
    const { items } = (await answer.json()) as { items: Group[] };
    return items.flatMap((group) =>
      group.items.map((hit) => ({
        label: hit.title,
        hint: hit.field ? `${group.label} · ${hit.field}: ${hit.text}` : group.label,
        run: () => location.assign(hit.href),
      })),
    );
  } catch {
    return []; // Aborted or offline: Enter leads to the page of results.
  }
}

function show(dialog: HTMLDialogElement, input: HTMLInputElement, entries: Entry[]): void {
  const list = dialog.querySelector("[role=listbox]");
  if (!list) return;
  const options = entries.slice(0, 20).map((entry, index) => {
    const option = document.createElement("li");
    option.id = `palette-${index}`;
    option.role = "option";
    const hint = Object.assign(document.createElement("small"), { textContent: entry.hint });
    option.append(Object.assign(document.createElement("span"), { textContent: entry.label }), hint);
    option.addEventListener("click", () => {
      dialog.close();
      entry.run();
    });
    return option;
  });
  list.replaceChildren(...options);
  if (options[0]) choose(options, options[0], input);
  else input.removeAttribute("aria-activedescendant");
}

function choose(options: HTMLElement[], option: HTMLElement, input: HTMLInputElement): void {
  for (const other of options) other.ariaSelected = String(other === option);
  input.setAttribute("aria-activedescendant", option.id);
  option.scrollIntoView({ block: "nearest" });
}
