/// What one person does shows on the pages of another, without a reload and without taking anything out of their hands.
import { type Browser, expect, type Page, test } from "@playwright/test";
import { enter, logIn, tasks } from "./people.ts";

/** From a commit to the page: two seconds, and time to draw. */
const soon = { timeout: 4_000 };

/** Somebody else, in a browser of their own. */
async function other(browser: Browser, user: string): Promise<Page> {
  const page = await (await browser.newContext({ locale: "zh-CN" })).newPage();
  await logIn(page, user);
  return page;
}

async function file(page: Page, subject: string): Promise<string> {
  const data = { subject, category: "information", channel: "call" };
  const answer = await page.request.post("/api/records/ticket", { data });
  expect(answer.status(), await answer.text()).toBe(201);
  return ((await answer.json()) as { id: string }).id;
}

/** A page that would have been loaded again is not this one any more. */
async function mark(page: Page): Promise<() => Promise<boolean>> {
  await page.evaluate(() => ((window as unknown as { marked: boolean }).marked = true));
  return () => page.evaluate(() => (window as unknown as { marked?: boolean }).marked === true);
}

test("a claim elsewhere moves the count, the box and the open task", async ({ page, browser }) => {
  await logIn(page, "agent");
  const [task] = await tasks(page, "claimable");
  const before = (await tasks(page, "mine")).length;
  await page.goto(`/inbox?box=claimable&task=${task!.id}`);
  const stays = await mark(page);
  const line = page.locator(`a.line[href*="${task!.id}"]`);
  await expect(line).toBeVisible();

  // The same person, in another browser.
  const elsewhere = await other(browser, "agent");
  expect((await elsewhere.request.post(`/api/tasks/${task!.id}/claim`, { data: {} })).ok()).toBe(true);
  await expect(page.locator(".side [data-count='/inbox/count']")).toHaveText(String(before + 1), soon);
  await expect(line).toBeHidden(soon);
  await expect(page.locator("#boxes a").first().locator(".count")).toHaveText(String(before + 1), soon);
  await expect(page.locator("#news")).toContainText("此内容已被更改", soon);
  expect(await stays()).toBe(true);

  expect((await elsewhere.request.post(`/api/tasks/${task!.id}/release`, { data: {} })).ok()).toBe(true);
  await expect(line).toBeVisible(soon);
  await elsewhere.context().close();
});

test("a filed ticket shows in the list and moves the tile", async ({ page, browser }) => {
  await logIn(page, "team_lead");
  const board = await page.context().newPage();
  await board.goto("/boards/service_desk");
  await page.goto("/records/ticket?view=all");
  const stays = [await mark(page), await mark(board)];
  const count = async () => Number((await board.locator("#tile-volume .kpi").getAttribute("title"))!.replace(/\D/g, ""));
  const before = await count();
  const agent = await other(browser, "agent");
  // A page that is not in front takes part, too: it was hidden only just now.
  await file(agent, "别处提交的工单");
  await expect(page.locator("tbody")).toContainText("别处提交的工单", soon);
  await board.bringToFront();
  await expect.poll(count, soon).toBe(before + 1);
  for (const stay of stays) expect(await stay()).toBe(true);
  await agent.context().close();
});

test("nothing is taken out of somebody's hands", async ({ page, browser }) => {
  await logIn(page, "team_lead");
  await page.goto("/records/ticket?view=all");
  await page.locator("td.tick input").first().check();
  const ticked = await page.locator("td.tick input:checked").getAttribute("value");
  const first = await page.locator("tbody tr a").first().textContent();
  const agent = await other(browser, "agent");
  await file(agent, "勾选时提交的工单");
  await expect(page.locator("#news")).toContainText("内容有更新", soon);
  await expect(page.locator("td.tick input").first()).toBeChecked();
  await expect(page.locator("tbody tr a").first()).toHaveText(first!);
  await page.locator("#news").getByRole("button", { name: "显示" }).click();
  await expect(page.locator("tbody")).toContainText("勾选时提交的工单", soon);
  await expect(page.locator("#news")).toBeEmpty();
  // The tick stays with its record, not with its place.
  await expect(page.locator("td.tick input:checked")).toHaveCount(1);
  await expect(page.locator("td.tick input:checked")).toHaveValue(ticked!);
  await expect(page.locator("#bulk")).toContainText("已选 1 条");
  await page.locator("td.tick input:checked").uncheck();

  // Whoever types a search is left alone, and sees what is new when they are done.
  await page.locator("#q").focus();
  await file(agent, "输入时提交的工单");
  await expect(page.locator("#news")).toContainText("内容有更新", soon);
  await page.locator("#q").blur();
  await expect(page.locator("tbody")).toContainText("输入时提交的工单", soon);
  await expect(page.locator("#news")).toBeEmpty();
  await agent.context().close();
});

test("a record that changed elsewhere says so and keeps what is typed", async ({ page, browser }) => {
  await logIn(page, "team_lead");
  const agent = await other(browser, "agent");
  const id = await file(agent, "两人同看的工单");
  await page.goto(`/records/ticket/${id}?page=fields`);
  const comment = page.locator("#activity textarea").first();
  await comment.fill("写到一半");
  await file(agent, "与此无关的工单");
  const record = await agent.request.get(`/api/records/ticket/${id}`);
  const change = { data: { subject: "已经改过的主题" }, headers: { "if-match": record.headers()["etag"]! } };
  expect((await agent.request.patch(`/api/records/ticket/${id}`, change)).ok()).toBe(true);
  await expect(page.locator("#news")).toContainText("此内容已被更改", soon);
  await expect(comment).toHaveValue("写到一半");

  const form = await page.context().newPage();
  await form.goto(`/records/ticket/${id}/edit`);
  await form.locator("[name='/subject']").fill("我正在改");
  const moved = { data: { body: "别人补充的说明" } };
  expect((await agent.request.patch(`/api/records/ticket/${id}`, moved)).ok()).toBe(true);
  await expect(form.locator("#news")).toContainText("其他人刚刚更改了此内容", soon);
  await expect(form.locator("[name='/subject']")).toHaveValue("我正在改");
  await form.close();

  await page.locator("#news").getByRole("button", { name: "重新加载" }).click();
  await expect(page.locator("h1")).toContainText("已经改过的主题");
  await expect(page.locator("#news")).toBeEmpty();
  await agent.context().close();
});

test("a record that went out of sight is said to be gone", async ({ page, browser }) => {
  await enter(page, { name: "陈晓", roles: ["agent"], queues: ["triage"], language: "zh-CN" });
  const lead = await other(browser, "team_lead");
  const id = await file(lead, "将要转走的工单");
  await page.goto(`/records/ticket/${id}`);
  await expect(page.locator("h1")).toContainText("将要转走的工单");
  expect((await lead.request.patch(`/api/records/ticket/${id}`, { data: { queue: "refund_desk" } })).ok()).toBe(true);
  await expect(page.locator("#news")).toContainText("已不存在", soon);
  await expect(page.locator("h1")).toContainText("将要转走的工单");
  expect((await page.reload())!.status()).toBe(404);
  await lead.context().close();
});
