/// Rules while one types: the form asks the server, which answers what differs from how the page was drawn. No rule runs here.
import { isComposingKey } from "./ime.ts";

type Option = { value: string; label: string };
type Problem = { message: string } | string;
/** What the server says of one field; `text` is the value as people read it, `control` what its control holds. */
type State = { visible?: boolean; required?: boolean; value?: unknown; text?: string; control?: string; options?: Option[]; errors?: Problem[] };
type Control = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

const typingMs = 150;

export function watchForms(): void {
  const forms = new WeakMap<HTMLFormElement, Form>();
  const find = (event: Event): Form | undefined => {
    const element = (event.target as Element).closest<HTMLFormElement>("form[data-guard]");
    if (element && !forms.has(element)) forms.set(element, new Form(element));
    return element ? forms.get(element) : undefined;
  };
  // As it was drawn: before anything is typed, and before a row goes.
  document.addEventListener("focusin", (event) => void find(event));
  document.addEventListener("input", (event) => find(event)?.edited(event.target as Element, typingMs));
  document.addEventListener("change", (event) => find(event)?.edited(event.target as Element, 0));
  document.addEventListener("focusout", (event) => find(event)?.left(event.target as Element));
  document.addEventListener("submit", (event) => find(event)?.submitted(event));
  document.addEventListener("keydown", (event) => {
    const input = (event.target as Element).closest("form[data-guard] input");
    if (event.key === "Enter" && input && (isComposingKey(event) || input.closest("[data-task]"))) event.preventDefault();
  });
  addEventListener("beforeunload", (event) => {
    if (document.querySelector("form[data-dirty]")) event.preventDefault();
  });
}

class Form {
  private seq = 0;
  private timer = 0;
  private pending: AbortController | undefined;
  private sent = false;
  /** Pointers of fields already left: only these show errors before the form is sent. */
  private readonly touched = new Set<string>();
  /** When a field was last edited, by the number of the request that will carry it. */
  private readonly editedAt = new Map<string, number>();
  /** Each field as the page was drawn: what the answer does not name goes back to it. */
  private readonly drawn = new Map<string, State>();
  /** Pointers of the child rows as the page was drawn: those that are gone are sent as null. */
  private readonly drawnRows: string[];

  constructor(private readonly element: HTMLFormElement) {
    for (const field of this.fields()) this.drawn.set(pointer(field), read(field));
    this.drawnRows = this.rows();
  }

  edited(target: Element, delayMs: number): void {
    const field = target.closest<HTMLElement>("[data-field]");
    this.element.toggleAttribute("data-dirty", true);
    if (!field || !this.element.dataset["evaluate"]) return;
    this.editedAt.set(pointer(field), this.seq + 1);
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.ask(pointer(field)), delayMs);
  }

  left(target: Element): void {
    const field = target.closest<HTMLElement>("[data-field]");
    if (field) this.touched.add(pointer(field));
  }

  /** One request per form: a second click changes nothing (`_key` guards the server as well). */
  submitted(event: SubmitEvent): void {
    if (this.sent) return event.preventDefault();
    this.sent = true;
    this.element.removeAttribute("data-dirty");
    addEventListener("pageshow", () => (this.sent = false), { once: true });
  }

  private fields(): HTMLElement[] {
    return [...this.element.querySelectorAll<HTMLElement>("[data-field]")];
  }

  private rows(): string[] {
    return [...this.element.querySelectorAll<HTMLInputElement>("input[name=_row]")].map((row) => row.value);
  }

  private async ask(changed: string): Promise<void> {
    const seq = ++this.seq;
    this.pending?.abort();
    this.pending = new AbortController();
    const { evaluate, id, task, version, prefix = "" } = this.element.dataset;
    const body = {
      seq,
      changed: changed.slice(prefix.length),
      values: this.values(prefix),
      ...(id && { id }),
      ...(task && { task }),
      ...(version && { version: Number(version) }),
    };
    try {
      const answer = await fetch(evaluate!, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
        signal: this.pending.signal,
      });
      if (!answer.ok) return;
      const { fields } = (await answer.json()) as { fields: Record<string, State> };
      if (seq === this.seq) this.apply(seq, prefix, fields);
    } catch {
      // Aborted or offline: the next input asks again, and the server checks everything on submit.
    }
  }

  /** The body as the API takes it: child rows by their ids (the pointers of the page), text is text, empty is null. */
  private values(prefix: string): Record<string, unknown> {
    const values: Record<string, unknown> = {};
    const set = (pointer: string, value: Record<string, unknown> | null) => {
      const [table = "", id = ""] = pointer.slice(prefix.length + 1).split("/");
      const rows = (values[table] ??= {}) as Record<string, Record<string, unknown> | null>;
      return (rows[id] ??= value);
    };
    const rows = this.rows();
    for (const row of rows) if (!this.drawnRows.includes(row)) set(row, {});
    for (const row of this.drawnRows) if (!rows.includes(row)) set(row, null);
    for (const field of this.fields()) {
      const element = control(field);
      if (!element?.name || !element.name.startsWith(`${prefix}/`)) continue;
      const [name = "", row, column] = element.name.slice(prefix.length + 1).split("/");
      if (column === undefined) values[name] = valueOf(field, element);
      else set(`${prefix}/${name}/${row}`, {})![column] = valueOf(field, element);
    }
    return values;
  }

  private apply(seq: number, prefix: string, answer: Record<string, State>): void {
    for (const field of this.fields()) {
      const at = pointer(field);
      if (!at.startsWith(`${prefix}/`)) continue;
      const state = { ...this.drawn.get(at), ...answer[at.slice(prefix.length)] };
      field.hidden = state.visible === false;
      const star = field.querySelector<HTMLElement>(":scope > label > .req");
      if (star) star.hidden = !state.required;
      this.applyValue(field, state, (this.editedAt.get(at) ?? 0) > seq);
      if (this.touched.has(at)) showErrors(field, state.errors ?? []);
    }
  }

  /** Never overwrites a control that has the focus or was edited since the request left. */
  private applyValue(field: HTMLElement, state: State, editedSince: boolean): void {
    const output = own<HTMLOutputElement>(field, "output");
    if (output && "value" in state) output.textContent = (state.text ?? (state.value === null ? "" : String(state.value))) || "–";
    const element = control(field);
    if (!element) return;
    element.required = state.required === true;
    if (editedSince || field.contains(document.activeElement)) return;
    if (state.options && element instanceof HTMLSelectElement) setOptions(element, state.options);
    // What was typed and refused stays, beside the reason; what is out of sight stays, for when it comes back.
    if (!("value" in state) || state.errors?.length || state.visible === false) return;
    const held = state.control ?? (state.value === null ? "" : String(state.value));
    if (element instanceof HTMLInputElement && element.type === "checkbox") element.checked = state.value === true;
    else if (element.value !== held) hold(element, held, state.value);
    element.dispatchEvent(new Event("fw-set")); // a lookup shows what its select holds
  }
}

function pointer(field: HTMLElement): string {
  return field.dataset["field"] ?? "";
}

/** A table's field holds the fields of its rows: what is asked of a field is never theirs. */
function own<E extends Element>(field: HTMLElement, selector: string): E | null {
  const element = field.querySelector<E>(selector);
  return element?.closest("[data-field]") === field ? element : null;
}

function control(field: HTMLElement): Control | null {
  return own<Control>(field, ":is(input, select, textarea)[name^='/']");
}

function read(field: HTMLElement): State {
  const element = control(field);
  const state: State = { visible: !field.hidden, required: element?.required ?? false };
  if (element instanceof HTMLSelectElement) {
    state.options = [...element.options].filter((one) => one.value).map((one) => ({ value: one.value, label: one.label }));
  }
  const output = own<HTMLOutputElement>(field, "output");
  if (output) Object.assign(state, { value: null, text: output.textContent ?? "" });
  return state;
}

/** Amounts and decimals stay text: a JavaScript number would lose digits. */
function valueOf(field: HTMLElement, element: Control): unknown {
  if (element instanceof HTMLInputElement && element.type === "checkbox") return element.checked;
  if (element.value === "") return null;
  const isInteger = field.dataset["type"] === "integer" && /^-?\d{1,15}$/.test(element.value);
  return isInteger ? Number(element.value) : element.value;
}

/** A chosen option that is offered no more stays, so that the error beside it makes sense. */
function setOptions(select: HTMLSelectElement, options: Option[]): void {
  const kept = [...select.options].filter((one) => !one.value || (one.selected && !options.some((option) => option.value === one.value)));
  const chosen = select.value;
  select.replaceChildren(...kept, ...options.map((option) => new Option(option.label, option.value)));
  select.value = chosen;
}

/** A chosen record may be none of the first ones the page came with. */
function hold(element: Control, held: string, value: unknown): void {
  const { title } = (value ?? {}) as { title?: string };
  if (title && element instanceof HTMLSelectElement && ![...element.options].some((one) => one.value === held)) {
    element.add(new Option(title, held));
  }
  element.value = held;
}

function showErrors(field: HTMLElement, errors: Problem[]): void {
  const place = [...field.querySelectorAll<HTMLElement>(".error")].find((one) => one.closest("[data-field]") === field);
  const text = place?.querySelector("span");
  if (!place || !text) return;
  text.textContent = errors.map((error) => (typeof error === "string" ? error : error.message)).join(" · ");
  place.hidden = errors.length === 0;
  if (errors.length > 0) control(field)?.setAttribute("aria-invalid", "true");
  else control(field)?.removeAttribute("aria-invalid");
}
