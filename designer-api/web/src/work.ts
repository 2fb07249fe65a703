/// Proof of work for public forms: a browser finds a number while one types, a robot pays for every form it sends. Without
/// it (no JavaScript, or no secure context) a form is sent all the same, only less often.

/** Leading bits that are zero, as the server wants them. */
const bits = 14;
/** Hashes between two breaths of the page. */
const batch = 200;

export function watchWork(): void {
  for (const form of document.querySelectorAll<HTMLFormElement>("form[data-work]")) void work(form);
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
