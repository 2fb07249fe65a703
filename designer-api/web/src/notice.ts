/// Notices: what happened, for a while or until closed.

const shownMs = 10_000;

export function watchNotices(): void {
  for (const element of document.querySelectorAll<HTMLElement>("#notice > .notice")) fade(element);
  document.addEventListener("click", (event) => {
    (event.target as Element).closest("[data-close]")?.closest(".notice")?.remove();
  });
  const offline = document.querySelector<HTMLElement>("#offline");
  if (!offline) return;
  const show = () => (offline.hidden = navigator.onLine);
  addEventListener("online", show);
  addEventListener("offline", show);
}

/** Says that a request came to nothing, in the words the page was drawn with. */
export function notice(tone: "bad"): void {
  const template = document.querySelector<HTMLTemplateElement>("#notice-template");
  const place = document.querySelector("#notice");
  const element = template?.content.cloneNode(true) as DocumentFragment | undefined;
  if (!element || !place || place.querySelector(`.${tone}`)) return;
  place.append(element);
}

/** Errors and what can be undone stay; the rest goes by itself, unless the pointer or the focus is on it. */
function fade(element: HTMLElement): void {
  if (element.matches(".bad, :has(form)")) return;
  setTimeout(() => (element.matches(":hover, :focus-within") ? fade(element) : element.remove()), shownMs);
}
