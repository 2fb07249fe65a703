/// Keeps relative times true while a page stays open. The server's words stand until the first minute has passed.

const units: [Intl.RelativeTimeFormatUnit, number][] = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
];
/** Hours up to which minutes matter, as in view/clock.rs. */
const fewHours = 10;
let timer = 0;

export function watchTimes(): void {
  clearInterval(timer);
  if (document.querySelector("time[data-relative], [data-ticks]")) timer = window.setInterval(draw, 60_000);
  for (const element of document.querySelectorAll<HTMLElement>("[data-ticks]:not([data-from])")) element.dataset["from"] = String(Date.now());
}

/** Open time runs down while its calendar is open: the server says until when that is. */
function countDown(): void {
  const words = JSON.parse(document.body.dataset["clockWords"] ?? "{}") as Record<string, string>;
  for (const element of document.querySelectorAll<HTMLElement>("[data-ticks]")) {
    const { left, ticks, from } = element.dataset;
    const until = Math.min(Date.now(), ticks ? Date.parse(ticks) : Infinity);
    const rest = Number(left) - Math.max(0, until - Number(from));
    const minutes = Math.trunc(Math.abs(rest) / 60_000);
    const parts = { hour: Math.trunc(minutes / 60), minute: minutes % 60 };
    const said = (["hour", "minute"] as const).filter((unit) => (parts[unit] && (unit === "hour" || parts.hour < fewHours)) || (unit === "minute" && !minutes));
    const text = said.map((unit) => (words[unit] ?? "").replace("{n}", String(parts[unit]))).join(" ");
    element.textContent = (words[rest < 0 ? "over" : "left"] ?? "").replace("{time}", text);
    if (rest < 0) element.closest(".due")?.classList.replace("warn", "bad");
  }
}

/**
 * A date control speaks the browser's language. Where the page speaks another one, the date stands under it in the page's.
 */
export function readDates(): void {
  const { lang } = document.documentElement;
  if (navigator.language.split("-")[0] === lang.split("-")[0]) return;
  for (const input of document.querySelectorAll<HTMLInputElement>(".field :is(input[type=date], input[type=datetime-local]):not([data-read])")) {
    const hint = document.createElement("span");
    hint.className = "help";
    input.dataset["read"] = "";
    input.after(hint);
    const format = new Intl.DateTimeFormat(lang, { dateStyle: "full", timeZone: "UTC", ...(input.type !== "date" && { timeStyle: "short" }) });
    const show = () => (hint.textContent = Number.isNaN(input.valueAsNumber) ? "" : format.format(input.valueAsNumber));
    input.addEventListener("input", show);
    show();
  }
}

function draw(): void {
  countDown();
  const format = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });
  for (const element of document.querySelectorAll<HTMLTimeElement>("time[data-relative]")) {
    const distance = Date.parse(element.dateTime) - Date.now();
    const [unit, size] = units.find(([, length]) => Math.abs(distance) >= length) ?? units[2]!;
    if (unit !== "day" || Math.abs(distance) < 7 * size) element.textContent = format.format(Math.trunc(distance / size), unit);
  }
}
