/// Proof of work for public forms: a browser finds a number while one types, a robot pays for every form it sends. Without
/// it (no JavaScript, or no secure context) a form is sent all the same, only less often.

/** Leading bits that are zero, as the server wants them. */
const bits = 14;
/** Hashes between two breaths of the page. */
const batch = 200;

export function watchWork(): void {
  const working = new Map<EventTarget, Promise<void>>();
  for (const form of document.querySelectorAll<HTMLFormElement>("form[data-work]")) {
    working.set(form, work(form).finally(() => working.delete(form)));
  }
  // Whoever is quicker than the work waits for it: a form sent without it counts against the address four times.
  const wait = (event: SubmitEvent) => {
    const form = event.target as HTMLFormElement;
    const work = working.get(form);
    if (!work) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    void work.then(() => form.requestSubmit(event.submitter));
  };
  document.addEventListener("submit", wait, { capture: true });
}

async function work(form: HTMLFormElement): Promise<void> {
  const challenge = form.dataset["work"];
  const proof = form.querySelector<HTMLInputElement>("input[name='_proof']");
  if (!challenge || !proof || !globalThis.crypto?.subtle) return;
  const encoder = new TextEncoder();
  for (let nonce = 0; form.isConnected; nonce++) {
    const hash = new DataView(await crypto.subtle.digest("SHA-256", encoder.encode(`${challenge}:${nonce}`)));
    if (hash.getUint32(0) >>> (32 - bits) === 0) {
      proof.value = String(nonce);
      return;
    }
    if (nonce % batch === 0) await new Promise((resume) => setTimeout(resume));
  }
}
