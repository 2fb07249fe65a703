/// From the picture of a report to the options of ECharts. Nothing is calculated here but where things stand.
import type { EChartsCoreOption } from "echarts/core";

/** As view/chart.rs writes it. */
export type Picture = {
  mark: "line" | "area" | "bar" | "column" | "stacked" | "combo" | "pie";
  x: string[];
  ticks: string[];
  axes: { format: "number" | "percent" | "money" | "hours"; whole: boolean; currency: string }[];
  series: { label: string; axis: number; kind: "line" | "area" | "bar" | "pie"; values: (string | null)[]; texts: string[]; hrefs: string[]; open: boolean[] }[];
  goal: { value: string; text: string } | null;
};

type Tip = (head: string, lines: { colour: string; label: string; text: string }[]) => HTMLElement;
type Colours = { series: string[]; ink: string; dim: string; line: string; card: string; warn: string; font: string };

/** Tokens of the page as colours: `light-dark()` is resolved by asking for the colour of an element in `host`. */
export function palette(host: HTMLElement): Colours {
  const probe = host.appendChild(document.createElement("span"));
  const colour = (token: string) => {
    probe.style.color = `var(--${token})`;
    return getComputedStyle(probe).color;
  };
  const [ink, dim, line, card, warn] = ["ink", "dim", "line", "card", "warn"].map(colour) as [string, string, string, string, string];
  const series = [1, 2, 3, 4, 5, 6, 7, 8].map((index) => colour(`c${index}`));
  const font = getComputedStyle(host).fontFamily;
  probe.remove();
  return { series, ink, dim, line, card, warn, font };
}

export function options(picture: Picture, colours: Colours, tip: Tip): EChartsCoreOption {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const common = {
    animation: !still,
    animationDuration: 150,
    animationDurationUpdate: 150,
    color: colours.series,
    textStyle: { fontFamily: colours.font, fontSize: 12, color: colours.dim },
    tooltip: {
      trigger: picture.mark === "pie" ? "item" : "axis",
      className: "at",
      confine: true,
      transitionDuration: 0,
      padding: 0,
      borderWidth: 0,
      backgroundColor: "transparent",
      extraCssText: "box-shadow: none",
      axisPointer: axisPointer(picture, colours),
      formatter: (at: unknown) => told(picture, colours, at, tip),
    },
  };
  return picture.mark === "pie" ? { ...common, series: pie(picture, colours) } : { ...common, ...grid(picture, colours) };
}

function axisPointer(picture: Picture, colours: Colours) {
  const bars = picture.series.some((one) => one.kind === "bar");
  const shade = { color: colours.line, opacity: 0.45 };
  return bars ? { type: "shadow", shadowStyle: shade } : { type: "line", lineStyle: { color: colours.dim, type: "solid" } };
}

/** What the pointer is at: of a pie one slice, else all series of one place. */
function told(picture: Picture, colours: Colours, at: unknown, tip: Tip): HTMLElement {
  const [first] = (Array.isArray(at) ? at : [at]) as { dataIndex: number }[];
  const index = first?.dataIndex ?? 0;
  const colour = (which: number) => colours.series[which % colours.series.length] ?? "";
  const lines = picture.series.map(({ label, texts }, which) => ({ colour: colour(picture.mark === "pie" ? index : which), label, text: texts[index] ?? "" }));
  return tip(picture.x[index] ?? "", lines);
}

function pie(picture: Picture, colours: Colours) {
  const data = picture.series[0]?.values.map((value, index) => ({ name: picture.x[index] ?? "", value: Number(value ?? 0) }));
  const itemStyle = { borderColor: colours.card, borderWidth: 2 };
  const emphasis = { scale: false, itemStyle: { opacity: 0.85 } };
  return [{ type: "pie", radius: ["56%", "96%"], center: ["50%", "50%"], startAngle: 90, label: { show: false }, cursor: picture.series[0]?.hrefs.some((href) => href) ? "pointer" : "default", itemStyle, emphasis, data }];
}

function grid(picture: Picture, colours: Colours): EChartsCoreOption {
  const flat = picture.mark === "bar";
  const single = picture.series.length === 1;
  const labelled = single && (flat || (picture.mark === "column" && picture.x.length <= 14));
  const places = {
    type: "category",
    data: picture.ticks,
    inverse: flat,
    boundaryGap: picture.series.some((one) => one.kind === "bar"),
    axisTick: { show: false },
    axisLine: { lineStyle: { color: colours.line } },
    axisLabel: { color: colours.dim, hideOverlap: true, ...(flat && { width: 120, overflow: "truncate", color: colours.ink }) },
  };
  const amounts = picture.axes.map((_, which) => amount(picture, colours, which, labelled));
  const series = picture.series.map((one, index) => mark(picture, colours, one, index, labelled));
  return {
    grid: { left: 2, right: flat && labelled ? 56 : 12, top: labelled && !flat ? 20 : 8, bottom: 2, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
    xAxis: flat ? amounts : places,
    yAxis: flat ? places : amounts,
    series,
  };
}

/** An axis of numbers. Bars stand on zero; a line alone may leave it. Labels at the bars say more than an axis. */
function amount(picture: Picture, colours: Colours, which: number, labelled: boolean) {
  const own = picture.series.filter((one) => one.axis === which);
  const { format, whole, currency } = picture.axes[which]!;
  const goal = picture.goal ? Number(picture.goal.value) : null;
  const values = own.flatMap((one) => one.values.filter((value) => value !== null).map(Number));
  const free = own.every((one) => one.kind === "line");
  const language = document.documentElement.lang;
  const compact = { notation: "compact", useGrouping: true, maximumFractionDigits: 1 } as const;
  const style = {
    number: compact,
    percent: { style: "percent", maximumFractionDigits: 1 } as const,
    hours: { ...compact, style: "unit", unit: "hour", unitDisplay: "short" } as const,
    money: { ...compact, style: "currency", currency: currency || "CNY", currencyDisplay: "narrowSymbol", minimumFractionDigits: 0 } as const,
  }[format];
  const numbers = new Intl.NumberFormat(language, style);
  return {
    type: "value",
    position: picture.mark === "bar" ? "bottom" : which === 0 ? "left" : "right",
    scale: free,
    splitNumber: 4,
    ...(whole && { minInterval: 1 }),
    // The goal stands in the picture, wherever the numbers are.
    ...(goal !== null && goal > Math.max(...values) && { max: goal }),
    ...(goal !== null && free && goal < Math.min(...values) && { min: goal }),
    splitLine: { show: which === 0 && !labelled, lineStyle: { color: colours.line } },
    axisLabel: { show: !labelled, color: colours.dim, hideOverlap: true, formatter: (value: number) => numbers.format(value) },
  };
}

function mark(picture: Picture, colours: Colours, one: Picture["series"][number], index: number, labelled: boolean) {
  const flat = picture.mark === "bar";
  const colour = colours.series[index % colours.series.length];
  const stacked = picture.mark === "stacked";
  // A period that is not over is drawn pale: its number will grow.
  const data = one.values.map((value, at) => ({ value: value === null ? null : Number(value), ...(one.open[at] && { itemStyle: { opacity: 0.45 } }) }));
  const goal = index === 0 && picture.goal ? { markLine: goalLine(picture, colours) } : {};
  const shared = { name: one.label, data, ...goal, [flat ? "xAxisIndex" : "yAxisIndex"]: one.axis, emphasis: { focus: "none" }, cursor: one.hrefs.some((href) => href) ? "pointer" : "default" };
  if (one.kind === "bar") {
    const round = flat ? [0, 3, 3, 0] : [3, 3, 0, 0];
    return {
      ...shared,
      type: "bar",
      ...(stacked && { stack: "all" }),
      barMaxWidth: flat ? 18 : 32,
      barCategoryGap: "32%",
      itemStyle: stacked ? { color: colour, borderColor: colours.card, borderWidth: 1 } : { color: colour, borderRadius: round },
      label: { show: labelled, position: flat ? "right" : "top", color: colours.ink, formatter: ({ dataIndex }: { dataIndex: number }) => one.texts[dataIndex] ?? "" },
    };
  }
  return {
    ...shared,
    type: "line",
    symbol: "circle",
    symbolSize: 7,
    showSymbol: picture.x.length <= 31,
    connectNulls: false,
    itemStyle: { color: colour, borderColor: colours.card, borderWidth: 1.5 },
    lineStyle: { color: colour, width: 2, type: ["solid", "dashed", "dotted"][index % 3] },
    ...(one.kind === "area" && { areaStyle: { color: colour, opacity: 0.14, origin: "start" } }),
  };
}

function goalLine(picture: Picture, colours: Colours) {
  const { value, text } = picture.goal!;
  return {
    silent: true,
    symbol: "none",
    animation: false,
    lineStyle: { color: colours.warn, type: "dashed", width: 1.5 },
    label: { formatter: text, color: colours.warn, position: picture.mark === "bar" ? "end" : "insideEndTop" },
    data: [picture.mark === "bar" ? { xAxis: Number(value) } : { yAxis: Number(value) }],
  };
}
