/// `<fw-grid>`: rows of a child table are added, removed and pasted in place. Without script its buttons post and the server draws.

export class Grid extends HTMLElement {
  private added = 0;

  connectedCallback(): void {
    this.addEventListener("click", (event) => this.clicked(event));
    this.addEventListener("paste", (event) => this.pasted(event));
    this.addEventListener("keydown", (event) => this.pressed(event));
    this.added = this.querySelectorAll("tr[data-row*='/new-']").length;
  }

  private get body(): HTMLTableSectionElement {
    return this.querySelector("tbody")!;
  }

  private clicked(event: MouseEvent): void {
    const button = (event.target as Element).closest<HTMLButtonElement>("button[name=_add], button[name=_remove]");
    if (!button) return;
    event.preventDefault();
    if (button.name === "_add") {
      this.addRow()?.querySelector<HTMLElement>("input:not([type=hidden]), select")?.focus();
    } else {
      const row = button.closest("tr")!;
      const next = (row.nextElementSibling ?? row.previousElementSibling)?.querySelector<HTMLElement>("button[name=_remove]");
      row.remove();
      (next ?? this.querySelector<HTMLElement>("button[name=_add]"))?.focus();
    }
    this.changed();
  }

  /** A row from the template, its place holder replaced by an id of the browser's: `new-<n>` until it is saved. */
  private addRow(): HTMLTableRowElement | null {
    const template = this.querySelector<HTMLTemplateElement>(":scope > template");
    const row = template?.content.querySelector("tr")?.cloneNode(true) as HTMLTableRowElement | undefined;
    if (!row || !this.querySelector("button[name=_add]")) return null;
    this.added += 1;
    for (const element of [row, ...row.querySelectorAll("*")]) {
      for (const attribute of element.attributes) attribute.value = attribute.value.replaceAll("__row__", `new-${this.added}`);
    }
    this.body.append(row);
    return row;
  }

  /** Cells copied from a sheet fill the grid from the cell one is in; missing rows are added. */
  private pasted(event: ClipboardEvent): void {
    const text = event.clipboardData?.getData("text/plain") ?? "";
    const cell = (event.target as Element).closest("td");
    if (!cell || !/[\t\n]/.test(text.trimEnd())) return;
    event.preventDefault();
    let row: HTMLTableRowElement | null = cell.closest("tr");
    for (const line of text.replace(/\r?\n$/, "").split(/\r?\n/)) {
      row ??= this.addRow();
      if (!row) break;
      line.split("\t").forEach((value, index) => fill(row!.cells[cell.cellIndex + index], value.trim()));
      row = row.nextElementSibling as HTMLTableRowElement | null;
    }
    this.changed();
  }

  /** Enter goes to the same column of the next row, and makes one after the last. */
  private pressed(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    if (event.key !== "Enter" || event.isComposing || event.keyCode === 229 || !target.matches("input")) return;
    event.preventDefault();
    const cell = target.closest("td")!;
    const next = (cell.closest("tr")!.nextElementSibling as HTMLTableRowElement | null) ?? this.addRow();
    next?.cells[cell.cellIndex]?.querySelector<HTMLElement>("input, select")?.focus();
  }

  private changed(): void {
    this.dispatchEvent(new Event("change", { bubbles: true }));
  }
}

function fill(cell: HTMLTableCellElement | undefined, value: string): void {
  const control = cell?.querySelector<HTMLInputElement | HTMLSelectElement>(":is(input, select)[name^='/']");
  if (!control) return;
  if (control instanceof HTMLSelectElement) {
    const option = [...control.options].find((one) => one.value === value || one.label === value);
    if (option) control.value = option.value;
  } else {
    control.value = value;
  }
}

customElements.define("fw-grid", Grid);
