/// What others do shows while a page stays open. The server tells which kinds of things changed, never which; what is on the
/// page is asked for again, and never where somebody has it in hands: they are told, and it waits.
import htmx from "htmx.org";

type News = { all?: boolean; tasks?: boolean; notices?: boolean; records?: string[] };
type Told = { version?: number; state?: string; assignee?: { id: string } | null };

/** A hidden page lets its connection go: browsers allow few. */
const hiddenMs = 5_000;
/** The least time between two drawings of the same part. */
const pauseMs = 700;
const againMs = { first: 5_000, most: 60_000 };

let source: EventSource | undefined;
let seen = document.body.dataset["at"];
let again = againMs.first;
let hiding = 0;
/** Parts of the page, by id, that are to be drawn again; and those that are not to be drawn again yet. */
const waiting = new Set<string>();
const resting = new Set<string>();

export function watchLive(): void {
  if (!seen || !window.EventSource) return;
  open();
  document.addEventListener("visibilitychange", () => {
    clearTimeout(hiding);
    if (document.hidden) hiding = window.setTimeout(close, hiddenMs);
    else open();
  });
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => event.persisted && open());
  // Hands that were full are free again.
  for (const name of ["change", "focusout", "toggle"]) document.addEventListener(name, () => setTimeout(drawWaiting, 200), true);
  document.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLElement>("[data-news]");
    if (!button) return;
    if (button.closest("#news")?.querySelector("[data-of=record]")) return location.reload();
    say(undefined);
    for (const id of waiting) void draw(id, true);
  });
}

function open(): void {
  if (source) return;
  source = new EventSource(`/api/events?since=${seen}`);
  source.addEventListener("open", () => (again = againMs.first));
  source.addEventListener("changed", (event) => {
    seen = event.lastEventId;
    hear(JSON.parse(event.data) as News);
  });
  source.addEventListener("error", () => {
    if (source?.readyState !== EventSource.CLOSED) return;
    // Refused: too many connections, or nobody is logged in any more.
    source = undefined;
    setTimeout(() => !document.hidden && open(), again);
    again = Math.min(again * 2, againMs.most);
  });
}

function close(): void {
  source?.close();
  source = undefined;
}

function hear(news: News): void {
  const concerns = (topics = "") =>
    news.all || topics.split(" ").some((topic) => topic === "*" || (topic === "tasks" ? news.tasks : topic === "notices" ? news.notices : news.records?.includes(topic)));
  if (concerns("tasks notices")) void recount();
  for (const part of document.querySelectorAll<HTMLElement>("[data-live]")) {
    if (concerns(part.dataset["live"])) waiting.add(part.id);
  }
  drawWaiting();
  for (const part of document.querySelectorAll<HTMLElement>("[data-watch]")) {
    if (concerns(part.dataset["topics"])) void look(part);
  }
}

/** How many tasks wait and notices are unread, in the side bar and in the bar of a phone. */
async function recount(): Promise<void> {
  const places = [...document.querySelectorAll<HTMLElement>("[data-count]")];
  for (const path of new Set(places.map((place) => place.dataset["count"]!))) {
    const answer = await ask(path);
    if (!answer?.ok) continue;
    const text = await answer.text();
    for (const place of places.filter((one) => one.dataset["count"] === path)) {
      place.textContent = text;
      place.hidden = text === "";
    }
  }
}

function drawWaiting(): void {
  for (const id of waiting) void draw(id, false);
  if (waiting.size === 0) say(undefined, "rows");
}

/** Draws a part again: at once where nobody has it in hands, else they are told. */
async function draw(id: string, wanted: boolean): Promise<void> {
  const part = document.getElementById(id);
  if (!part) return void waiting.delete(id);
  if (resting.has(id)) return;
  if (!wanted && isInHands(part)) return say("rows");
  waiting.delete(id);
  resting.add(id);
  const at = part.querySelector<HTMLElement>("tr.at")?.dataset["href"];
  await htmx.ajax("GET", location.pathname + location.search, {
    source: part,
    target: part,
    swap: "outerMorph",
    // By it the server knows which part is wanted; htmx names only targets that stand in attributes.
    headers: { "HX-Target": `${part.localName}#${id}` },
  });
  // The mark of the keyboard is no part of what the server draws.
  if (at) document.querySelector(`#${id} tr[data-href="${CSS.escape(at)}"]`)?.classList.add("at");
  setTimeout(() => {
    resting.delete(id);
    drawWaiting();
  }, pauseMs);
}

/** Whether rows are ticked, something is typed or marked, or a menu is open. */
function isInHands(part: HTMLElement): boolean {
  const selection = getSelection();
  return (
    part.querySelector("td.tick input:checked, .ticked > input:checked, details.menu[open], :popover-open, [data-dirty]") !== null ||
    (part.contains(document.activeElement) && document.activeElement!.matches("input, select, textarea")) ||
    (selection !== null && !selection.isCollapsed && part.contains(selection.anchorNode))
  );
}

/** Sees whether it was this record or task that changed, or went out of sight. */
async function look(part: HTMLElement): Promise<void> {
  const answer = await ask(part.dataset["watch"]!);
  if (!answer || !part.isConnected) return;
  if (answer.status === 404 || answer.status === 403) return say("gone");
  if (!answer.ok) return;
  const told = (await answer.json()) as Told;
  const mark = told.state === undefined ? String(told.version) : `${told.state} ${told.assignee?.id ?? ""}`;
  if (mark !== part.dataset["mark"]) say(part.dataset["tells"] === "edit" ? "edit" : "record");
}

async function ask(path: string): Promise<Response | undefined> {
  try {
    return await fetch(path, { headers: { accept: "application/json" } });
  } catch {
    // Whoever is offline is told so elsewhere.
    return undefined;
  }
}

/** Says what is new, in the words the page was drawn with; nothing takes back what was said, or what was said of `only`. */
function say(what: "rows" | "record" | "edit" | "gone" | undefined, only = "rows"): void {
  const place = document.querySelector<HTMLElement>("#news");
  if (!place) return;
  const said = place.querySelector<HTMLElement>("[data-of]")?.dataset["of"];
  if (what === undefined) {
    if (said === only) place.replaceChildren();
    return;
  }
  // That rows changed is the least of it.
  if (said === what || (said && what === "rows") || said === "gone") return;
  const news = document.querySelector<HTMLTemplateElement>(`#news-${what}`)?.content.cloneNode(true) as DocumentFragment | undefined;
  if (!news) return;
  (news.firstElementChild as HTMLElement).dataset["of"] = what;
  place.replaceChildren(news);
}
