/// Rows that are ticked: how many, all of the page, and the bar with what can be done to them. Without JavaScript the boxes
/// and the bar are a plain form.

export function watchTicks(): void {
  document.addEventListener("change", (event) => {
    const box = event.target as HTMLInputElement;
    if (box.matches("[data-tick-all]")) {
      for (const one of boxes()) one.checked = box.checked;
      count();
    } else if (box.matches("td.tick input, #bulk input[name=_all]")) {
      count();
    }
  });
  document.addEventListener("htmx:after:settle", count);
  count();
}

/** Ticks the row the keyboard is at. */
export function tickRow(): boolean {
  const box = document.querySelector<HTMLInputElement>("tr.at td.tick input");
  if (!box) return false;
  box.checked = !box.checked;
  count();
  return true;
}

function boxes(): HTMLInputElement[] {
  return [...document.querySelectorAll<HTMLInputElement>("td.tick input")];
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
