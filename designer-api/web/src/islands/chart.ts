/// `<fw-chart>`: the picture of a report. Its words and numbers were written by the server and stand in its JSON child; here they
/// are laid out by ECharts in the colours of the page, in a shadow root, so that a page drawn again leaves the picture alone.
import { BarChart, LineChart, PieChart } from "echarts/charts";
import { GridComponent, MarkLineComponent, TooltipComponent } from "echarts/components";
import { init, use, type ECharts } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { options, palette, type Picture } from "./chart/options.ts";

use([BarChart, LineChart, PieChart, GridComponent, MarkLineComponent, TooltipComponent, SVGRenderer]);

const sheet = new CSSStyleSheet();
sheet.replaceSync(`
.room { container-type: inline-size; height: 100%; }
.box { display: flex; flex-direction: column; gap: 8px; height: 100%; }
.plot { flex: 1; min-height: 0; min-width: 0; position: relative; }
.pie { flex-direction: row-reverse; justify-content: center; align-items: center; gap: 24px; }
.pie > .plot { align-self: stretch; max-width: 260px; }
.pie > ul { flex: 0 1 220px; flex-direction: column; }
@container (width < 440px) {
  .pie { flex-direction: column-reverse; gap: 12px; }
  .pie > .plot { max-width: none; }
  .pie > ul { flex: none; width: 100%; display: grid; grid-template-columns: 1fr 1fr; }
}
ul { display: flex; flex-wrap: wrap; gap: 2px 16px; margin: 0; padding: 0; list-style: none; }
li { display: flex; align-items: center; gap: 6px; cursor: default; font-size: 12px; line-height: 18px; }
li b { margin-left: auto; padding-left: 16px; font-weight: 500; font-variant-numeric: tabular-nums; }
i { flex: none; width: 10px; height: 10px; border-radius: 2px; }
i.line { width: 16px; height: 0; border-top: 2px solid; border-radius: 0; }
.at { position: absolute; z-index: 5; pointer-events: none; &:empty { display: none; } }
.tip {
  min-width: 120px; max-width: 280px; padding: 8px 12px; border: 1px solid var(--edge); border-radius: 8px;
  background: var(--card); color: var(--ink); font-size: 12px; line-height: 20px;
}
.tip p { margin: 0; color: var(--dim); }
@media print { .at { display: none; } svg { max-width: 100%; height: auto; } }
`);

export class Chart extends HTMLElement {
  private chart: ECharts | undefined;
  private readonly page = new AbortController();
  private readonly box = document.createElement("div");
  private readonly plot = document.createElement("div");
  private readonly legend = document.createElement("ul");
  private readonly changes = new MutationObserver(() => this.draw());
  private readonly sizes = new ResizeObserver(() => this.chart?.resize());

  connectedCallback(): void {
    const root = this.shadowRoot ?? this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet];
    this.plot.className = "plot";
    this.box.replaceChildren(this.legend, this.plot);
    const room = document.createElement("div");
    room.className = "room";
    room.append(this.box);
    root.replaceChildren(room);
    for (const query of ["(prefers-color-scheme: dark)", "(prefers-reduced-motion: reduce)"]) {
      matchMedia(query).addEventListener("change", () => this.draw(), { signal: this.page.signal });
    }
    this.changes.observe(this, { childList: true, characterData: true, subtree: true });
    this.draw();
    this.sizes.observe(this.plot);
  }

  disconnectedCallback(): void {
    this.page.abort();
    this.changes.disconnect();
    this.sizes.disconnect();
    this.chart?.dispose();
    this.chart = undefined;
  }

  private draw(): void {
    const text = this.querySelector("script")?.textContent;
    if (!text || !this.isConnected) return;
    const picture = JSON.parse(text) as Picture;
    this.box.className = `box ${picture.mark}`;
    const colours = palette(this.box);
    this.explain(picture, colours.series);
    this.chart ??= init(this.plot, null, { renderer: "svg" });
    // A mark leads where its number in the table does.
    this.chart.off("click");
    this.chart.on("click", ({ seriesIndex, dataIndex }) => {
      const href = picture.series[seriesIndex ?? 0]?.hrefs[dataIndex];
      if (href) location.assign(href);
    });
    this.chart.setOption(options(picture, colours, tip), { notMerge: true });
  }

  /** What each colour stands for; nothing where there is one. Pointing at a name shows its marks. */
  private explain(picture: Picture, series: string[]): void {
    const names = picture.mark === "pie" ? picture.x : picture.series.map((one) => one.label);
    const items = names.map((name, index) => {
      const item = document.createElement("li");
      const texts = picture.mark === "pie" ? picture.series[0]?.texts : undefined;
      item.append(swatch(picture, index, series), name);
      if (texts) item.append(worded("b", texts[index] ?? ""));
      const which = texts ? { seriesIndex: 0, dataIndex: index } : { seriesIndex: index };
      item.addEventListener("pointerenter", () => this.chart?.dispatchAction({ type: "highlight", ...which }));
      item.addEventListener("pointerleave", () => this.chart?.dispatchAction({ type: "downplay", ...which }));
      return item;
    });
    this.legend.replaceChildren(...(names.length > 1 ? items : []));
    this.legend.hidden = names.length < 2;
  }
}

function worded(name: string, text: string): HTMLElement {
  const element = document.createElement(name);
  element.textContent = text;
  return element;
}

function swatch(picture: Picture, index: number, series: string[]): HTMLElement {
  const mark = document.createElement("i");
  const colour = series[index % series.length] ?? "";
  if (picture.series[index]?.kind === "line") {
    mark.className = "line";
    mark.style.borderTopColor = colour;
    mark.style.borderTopStyle = ["solid", "dashed", "dotted"][index % 3] ?? "solid";
  } else {
    mark.style.background = colour;
  }
  return mark;
}

/** The words beside the pointer: where it is, then one line a series. Built from nodes, for the policy allows no styled text. */
function tip(head: string, lines: { colour: string; label: string; text: string }[]): HTMLElement {
  const box = document.createElement("div");
  box.className = "tip";
  box.append(worded("p", head));
  const list = document.createElement("ul");
  list.style.flexDirection = "column";
  for (const { colour, label, text } of lines) {
    const item = document.createElement("li");
    const mark = document.createElement("i");
    mark.style.background = colour;
    item.append(mark, label, worded("b", text));
    list.append(item);
  }
  box.append(list);
  return box;
}

customElements.define("fw-chart", Chart);
