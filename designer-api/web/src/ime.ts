/// Input methods: half-typed pinyin must reach neither filters nor rules.

/**
 * Stops `input` while a composition runs and sends one when it ends. Chromium reports `isComposing` even on the event that
 * commits the text (w3c/uievents#394), so the end is taken from `compositionend` and the committing event is swallowed.
 */
export function guardComposition(): void {
  let composing = false;
  addEventListener("compositionstart", () => (composing = true), true);
  addEventListener(
    "compositionend",
    (event) => {
      composing = false;
      event.target?.dispatchEvent(new InputEvent("input", { bubbles: true }));
    },
    true,
  );
  addEventListener(
    "input",
    (event) => {
      if (composing || (event as InputEvent).isComposing) event.stopImmediatePropagation();
    },
    true,
  );
}

/** A key that belongs to an input method: Enter there picks a word, it does not submit. */
export function isComposingKey(event: KeyboardEvent): boolean {
  return event.isComposing || event.keyCode === 229;
}
