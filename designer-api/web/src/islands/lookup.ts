/// `<fw-lookup>`: a select of linked records becomes a box one types into. The select stays and holds the value that is sent.

type Row = { id: string; title: string; hint?: string };

const typingMs = 200;
const rowsMax = 20;
let count = 0;

export class Lookup extends HTMLElement {
  private select!: HTMLSelectElement;
  private readonly input = document.createElement("input");
  private readonly list = document.createElement("div");
  private rows: Row[] = [];
  private active = -1;
  private timer = 0;
  private pending: AbortController | undefined;

  connectedCallback(): void {
    if (this.contains(this.input)) return;
    this.select = this.querySelector("select")!;
    this.select.hidden = true;
    this.list.id = `lookup-${++count}`;
    this.list.role = "listbox";
    this.list.hidden = true;
    const { input, select } = this;
    Object.assign(input, { type: "text", id: select.id, autocomplete: "off", role: "combobox", placeholder: this.dataset["hint"] ?? "", required: select.required });
    select.id = `${select.id}-value`;
    for (const name of ["aria-describedby", "aria-invalid"]) {
      if (select.hasAttribute(name)) input.setAttribute(name, select.getAttribute(name)!);
    }
    input.setAttribute("aria-autocomplete", "list");
    input.setAttribute("aria-expanded", "false");
    input.setAttribute("aria-controls", this.list.id);
    this.append(input, this.list);
    this.showChosen();
    input.addEventListener("focus", () => input.select());
    input.addEventListener("input", (event) => this.typed(event));
    input.addEventListener("click", () => this.open());
    input.addEventListener("keydown", (event) => this.pressed(event));
    input.addEventListener("blur", () => this.left());
    select.addEventListener("fw-set", () => this.showChosen());
  }

  private showChosen(): void {
    const option = this.select.selectedOptions[0];
    this.input.value = option?.value ? option.label : "";
  }

  private typed(event: Event): void {
    event.stopPropagation(); // what counts for the form is the choice, not the search
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.search(this.input.value), typingMs);
  }

  private open(): void {
    if (this.list.hidden) void this.search("");
  }

  private async search(text: string): Promise<void> {
    this.pending?.abort();
    this.pending = new AbortController();
    const url = new URL(this.dataset["src"]!, location.href);
    if (text.trim()) url.searchParams.set("q", text.trim());
    url.searchParams.set("limit", String(rowsMax));
    try {
      const answer = await fetch(url, { signal: this.pending.signal, headers: { accept: "application/json" } });
      if (answer.ok) this.show(((await answer.json()) as { items: Row[] }).items);
    } catch {
      // Aborted by the next letter, or offline: the options the page came with remain.
      if (!this.pending.signal.aborted) this.show(this.ownRows(text));
    }
  }

  private ownRows(text: string): Row[] {
    return [...this.select.options].filter((one) => one.value && one.label.includes(text)).map((one) => ({ id: one.value, title: one.label }));
  }

  private show(rows: Row[]): void {
    this.rows = rows;
    const options = rows.map((row, index) => this.option(row, index));
    if (options.length === 0) {
      const empty = document.createElement("p");
      empty.textContent = this.dataset["empty"] ?? "";
      options.push(empty);
    }
    this.list.replaceChildren(...options);
    this.toggle(true);
    this.mark(rows.length > 0 && this.input.value ? 0 : -1);
  }

  private option(row: Row, index: number): HTMLElement {
    const element = document.createElement("div");
    element.id = `${this.list.id}-${index}`;
    element.role = "option";
    element.textContent = row.title ?? row.id;
    if (row.hint) {
      const hint = document.createElement("small");
      hint.textContent = row.hint;
      element.append(hint);
    }
    element.addEventListener("mousedown", (event) => {
      event.preventDefault(); // keeps the focus in the box
      this.choose(index);
    });
    return element;
  }

  private mark(index: number): void {
    this.active = index;
    [...this.list.children].forEach((element, at) => {
      element.ariaSelected = String(at === index);
      if (at === index) element.scrollIntoView({ block: "nearest" });
    });
    if (index < 0) this.input.removeAttribute("aria-activedescendant");
    else this.input.setAttribute("aria-activedescendant", `${this.list.id}-${index}`);
  }

  private choose(index: number): void {
    const row = this.rows[index];
    if (row && ![...this.select.options].some((one) => one.value === row.id)) this.select.add(new Option(row.title, row.id));
    this.select.value = row?.id ?? "";
    this.showChosen();
    this.toggle(false);
    this.select.dispatchEvent(new Event("change", { bubbles: true }));
  }

  private pressed(event: KeyboardEvent): void {
    if (event.isComposing || event.keyCode === 229) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      if (this.list.hidden) this.open();
      else this.mark((this.active + step + this.rows.length) % Math.max(this.rows.length, 1));
    } else if (event.key === "Enter" && !this.list.hidden) {
      if (this.active >= 0) this.choose(this.active);
    } else if (event.key === "Escape" && !this.list.hidden) {
      this.toggle(false);
      this.showChosen();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** An emptied box means none; text that was not chosen goes back to what is chosen. */
  private left(): void {
    clearTimeout(this.timer);
    this.pending?.abort();
    this.toggle(false);
    if (this.input.value === "" && this.select.value !== "") this.choose(-1);
    this.showChosen();
  }

  private toggle(open: boolean): void {
    this.list.hidden = !open;
    this.input.setAttribute("aria-expanded", String(open));
  }
}

customElements.define("fw-lookup", Lookup);
