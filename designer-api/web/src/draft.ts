/// What is typed is kept on the server while one types, incomplete as it is; nothing stays in the browser.

const pauseMs = 800;

export function watchDrafts(): void {
  const timers = new WeakMap<HTMLFormElement, number>();
  const edited = (event: Event) => {
    const form = (event.target as Element).closest<HTMLFormElement>("form[data-draft]");
    if (!form) return;
    clearTimeout(timers.get(form));
    timers.set(form, window.setTimeout(() => void keep(form), pauseMs));
    say(form, "saving");
  };
  document.addEventListener("input", edited);
  document.addEventListener("change", edited);
  document.addEventListener("submit", (event) => {
    const form = (event.target as Element).closest<HTMLFormElement>("form[data-draft]");
    if (!form) return;
    clearTimeout(timers.get(form));
    form.dataset["sent"] = "";
  });
}

async function keep(form: HTMLFormElement): Promise<void> {
  if ("sent" in form.dataset) return;
  const pairs = [...new FormData(form)].filter(([name, value]) => name !== "_key" && typeof value === "string");
  try {
    const answer = await fetch(form.dataset["draft"]!, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ pairs }),
    });
    if (!answer.ok) return say(form, "failed");
    say(form, "saved");
    form.removeAttribute("data-dirty");
  } catch {
    say(form, "failed");
  }
}

/** "Saved 12:03", in the words the page was drawn with. */
function say(form: HTMLFormElement, state: "saving" | "saved" | "failed"): void {
  const place = form.querySelector<HTMLElement>("[data-draft-state]");
  if (!place) return;
  const time = new Date().toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", hour12: false });
  place.textContent = (place.dataset[state] ?? "").replace("{time}", time);
  place.classList.toggle("bad", state === "failed");
}
