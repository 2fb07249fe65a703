/// Pictures of reports: what they say is what the table says, in every scheme, within the policy, and as light as promised.
import { expect, test, type Locator, type Page } from "@playwright/test";
import { logIn } from "./people.ts";
import { screenshots } from "./playwright.config.ts";

const reports = ["tickets_by_week", "tickets_by_queue", "tickets_by_category", "tickets_by_channel", "sentiment_by_week", "closed_by_week"];

/** What the browser refused by the content security policy, and what scripts threw. */
function watch(page: Page): string[] {
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    if (/Content Security Policy|violates|Refused to/.test(message.text())) complaints.push(message.text());
  });
  return complaints;
}

async function drawn(page: Page): Promise<Locator> {
  const chart = page.locator("fw-chart").first();
  await isDrawn(chart);
  return chart;
}

async function isDrawn(chart: Locator): Promise<void> {
  await expect(chart.locator("svg")).toBeVisible();
  await expect(chart.locator("svg path")).not.toHaveCount(0);
}

/** Bytes of a script as they travel. */
async function packed(page: Page, address: string): Promise<number> {
  return await page.evaluate(async (path) => {
    const plain = await (await fetch(path)).blob();
    return (await new Response(plain.stream().pipeThrough(new CompressionStream("gzip"))).blob()).size;
  }, address);
}

test("pictures say what their tables say", async ({ page }) => {
  const complaints = watch(page);
  await logIn(page, "team_lead");
  for (const report of reports) {
    await test.step(report, async () => {
      await page.goto(`/reports/${report}?range=last+8+weeks`);
      const chart = await drawn(page);
      await expect(chart).toHaveAttribute("aria-label", /图：/);
      await expect(page.locator("details.data[open] table")).toBeVisible();
      await page.screenshot({ path: `${screenshots}chart-${report}-${test.info().project.name}.png`, fullPage: true });
    });
  }
  // The words beside the pointer are those of the table's row.
  await page.goto("/reports/tickets_by_week?range=last+8+weeks");
  const chart = await drawn(page);
  const box = (await chart.locator(".plot").boundingBox())!;
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  const tip = chart.locator(".tip");
  await expect(tip).toBeVisible();
  const at = await tip.locator("p").innerText();
  const row = page.locator("details.data tbody tr").filter({ hasText: at });
  const told = await tip.locator("b").allInnerTexts();
  expect(told.length).toBe(3);
  const cells = await row.locator("td").allInnerTexts();
  for (const text of told) expect(cells.map((cell) => cell.trim())).toContain(text);
  await page.screenshot({ path: `${screenshots}chart-tip-${test.info().project.name}.png` });
  expect(complaints).toEqual([]);
});

test("a board is a page of pictures", async ({ page }) => {
  const complaints = watch(page);
  await logIn(page, "team_lead");
  await page.goto("/boards/service_desk");
  await expect(page.locator("fw-chart")).toHaveCount(6);
  for (const chart of await page.locator("fw-chart").all()) await isDrawn(chart);
  await page.screenshot({ path: `${screenshots}charts-board-${test.info().project.name}.png`, fullPage: true });
  // The numbers are a key away.
  const data = page.locator("#tile-trend details.data");
  await expect(data.locator("table")).toBeHidden();
  await data.locator("summary").focus();
  await page.keyboard.press("Enter");
  await expect(data.locator("table")).toBeVisible();
  expect(complaints).toEqual([]);
});

test("a picture follows the scheme and its numbers, and stands still for who asks", async ({ page }) => {
  await logIn(page, "team_lead");
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
  await page.goto("/reports/tickets_by_category?range=all");
  const chart = await drawn(page);
  const colours = () => chart.evaluate((host) => [...host.shadowRoot!.querySelectorAll("svg path")].map((path) => path.getAttribute("fill")).join());
  const light = await colours();
  await page.emulateMedia({ colorScheme: "dark" });
  await expect.poll(colours).not.toBe(light);
  await page.emulateMedia({ colorScheme: "light" });
  await expect.poll(colours).toBe(light);

  /** The first number is another one, as when the page is drawn again: the most steps a mark takes to its new shape. */
  const steps = async (value: string) => {
    const before = await chart.locator("svg").innerHTML();
    await chart.evaluate((host, other) => {
      const taken = new Map<Node, number>();
      const seen = new MutationObserver((changes) => {
        for (const { target } of changes) taken.set(target, (taken.get(target) ?? 0) + 1);
        host.dataset["steps"] = String(Math.max(...taken.values()));
      });
      seen.observe(host.shadowRoot!.querySelector(".plot")!, { subtree: true, attributeFilter: ["d"] });
      const script = host.querySelector("script")!;
      const picture = JSON.parse(script.textContent!) as { series: { values: string[] }[] };
      picture.series[0]!.values[0] = other;
      script.textContent = JSON.stringify(picture);
    }, value);
    await expect.poll(() => chart.locator("svg").innerHTML()).not.toBe(before);
    return await chart.evaluate(async (host) => {
      for (let frame = 0; frame < 60; frame++) await new Promise(requestAnimationFrame);
      return Number(host.dataset["steps"]);
    });
  };
  expect(await steps("5000")).toBe(1);
  await page.emulateMedia({ reducedMotion: "no-preference" });
  expect(await steps("10")).toBeGreaterThan(1);
});

test("without scripts the numbers stand alone", async ({ browser, baseURL }) => {
  const context = await browser.newContext({ javaScriptEnabled: false, baseURL: baseURL! });
  const page = await context.newPage();
  await logIn(page, "team_lead");
  await page.goto("/boards/service_desk");
  await expect(page.locator("#tile-trend fw-chart")).toBeHidden();
  await expect(page.locator("#tile-trend table")).toBeVisible();
  await context.close();
});

test("the first page stays light, and charts come only where there is one", async ({ page: first, context }) => {
  await logIn(first, "team_lead");
  await first.close();
  const page = await context.newPage();
  const scripts = new Set<string>();
  page.on("response", (response) => {
    const { pathname } = new URL(response.url());
    if (pathname.endsWith(".js")) scripts.add(pathname);
  });
  await page.goto("/home");
  await page.goto("/records/ticket");
  const light = [...scripts];
  expect(light.filter((path) => path.includes("chart"))).toEqual([]);
  let bytes = 0;
  for (const path of light) bytes += await packed(page, path);
  expect(bytes).toBeGreaterThan(1024);
  expect(bytes).toBeLessThanOrEqual(35 * 1024);
  await page.goto("/reports/tickets_by_week");
  await drawn(page);
  const [chunk] = [...scripts].filter((path) => path.includes("chart"));
  expect(await packed(page, chunk!)).toBeLessThanOrEqual(240 * 1024);
});

test("a mark leads to the records it counts", async ({ page }) => {
  await logIn(page, "team_lead");
  await page.goto("/reports/tickets_by_queue?range=all");
  const chart = await drawn(page);
  const row = page.locator("details.data tbody tr").first();
  const number = (await row.locator("td.n").first().innerText()).trim();
  const box = (await chart.locator("svg path[fill^='rgb(']").first().boundingBox())!;
  await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
  await expect(page).toHaveURL(/\/records\/ticket\?view=all&filter=/);
  await expect(page.locator("#list .pager")).toContainText(number);
});

test("an agent begins the day at the desk", async ({ page }) => {
  await logIn(page, "agent");
  await expect(page).toHaveURL(/\/boards\/agent_desk$/);
  // What is late in the agent's queues: the number of the figure is that of the list behind the tile.
  const late = Number(await page.locator("#tile-late .kpi").innerText());
  const listed = await page.request.get("/api/records/ticket", {
    params: { filter: "queue in user.queues and state != 'closed' and resolve_by < now", limit: "1" },
  });
  expect(((await listed.json()) as { total: { value: number } }).total.value).toBe(late);
  expect(late).toBeGreaterThan(0);
  await expect(page.locator("#tile-overdue tbody tr").first()).toBeVisible();
  await expect(page.locator("#tile-claim a.line").first()).toBeVisible();
  await page.screenshot({ path: `${screenshots}desk-${test.info().project.name}.png`, fullPage: true });
});
