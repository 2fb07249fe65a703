/// Rows that are ticked: how many, all of the page, and the bar with what can be done to them. Without JavaScript the boxes
/// and the bar are a plain form.

/** The boxes of rows, and of lines of the inbox. */
const ticks = "td.tick input, .ticked > input";

export function watchTicks(): void {
  document.addEventListener("change", (event) => {
    const box = event.target as HTMLInputElement;
    if (box.matches("[data-tick-all]")) {
      for (const one of boxes()) one.checked = box.checked;
      count();
    } else if (box.matches(`${ticks}, #bulk input[name=_all]`)) {
      count();
    }
  });
  document.addEventListener("htmx:after:settle", count);
  count();
}

/** Ticks the row the keyboard is at. */
export function tickRow(): boolean {
  const box = document.querySelector<HTMLInputElement>("tr.at td.tick input, .ticked:has(a.at) > input");
  if (!box) return false;
  box.checked = !box.checked;
  count();
  return true;
}

function boxes(): HTMLInputElement[] {
  return [...document.querySelectorAll<HTMLInputElement>(ticks)];
}

function count(): void {
  const bar = document.querySelector<HTMLFormElement>("#bulk");
  if (!bar) return;
  const ticked = boxes().filter((box) => box.checked).length;
  const all = bar.querySelector<HTMLInputElement>("input[name=_all]");
  if (all && ticked === 0) all.checked = false;
  bar.hidden = ticked === 0;
  const text = bar.querySelector<HTMLElement>("[data-ticked]");
  if (text) text.textContent = (text.dataset["text"] ?? "").replace("{n}", String(ticked));
}
