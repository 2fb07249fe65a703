/// What cannot be taken back is asked first, what was typed is never lost, and rules follow every form one types in.
import { expect, test } from "@playwright/test";
import { logIn, records, tasks } from "./people.ts";

test("an outcome that asks is not chosen by one press", async ({ page }) => {
  await logIn(page, "agent");
  const [task] = await tasks(page, "claimable", "handle");
  await page.goto(`/inbox?box=claimable&task=${task!.id}`);
  await page.locator("#task").getByRole("button", { name: "领取任务" }).click();
  await page.locator("#task").getByRole("button", { name: "不予补偿" }).click();
  const asked = page.getByRole("dialog");
  await expect(asked).toContainText("确定不予补偿吗？旅客将收到通知。");
  await asked.getByRole("button", { name: "取消" }).click();
  await expect(page.locator("#task form.fill")).toBeVisible();

  await page.locator("#task").getByRole("button", { name: "不予补偿" }).click();
  await asked.getByRole("button", { name: "不予补偿" }).click();
  // Done, or told what is missing: the choice has arrived.
  await expect(page.locator("#notice, #summary").filter({ hasText: /任务已完成|客户/ }).first()).toBeVisible();
});

test("a task goes to a person", async ({ page, context }) => {
  await logIn(page, "team_lead");
  const [task] = await tasks(page, "claimable");
  await page.goto(`/inbox?box=claimable&task=${task!.id}`);
  await page.locator("#task").getByRole("button", { name: "领取任务" }).click();
  await page.locator("#task summary[aria-label='更多操作']").click();
  await page.getByRole("button", { name: "转交" }).click();
  const asked = page.locator("form.dialog:popover-open");
  const people = asked.locator("[name='/user']");
  const agent = await people.locator("option", { hasText: /agent|坐席/i }).first().getAttribute("value");
  await people.selectOption(agent);
  await asked.getByRole("button", { name: "转交" }).click();
  await expect(page.locator("#notice")).toContainText("任务已转交");
  await context.clearCookies();
  await logIn(page, "agent");
  const mine = await tasks(page, "mine");
  expect(mine.map((one) => one.id)).toContain(task!.id);
});

test("a session that is over costs a log-in, not what was typed", async ({ page, context }) => {
  await logIn(page, "team_lead");
  await page.goto("/records/customer/new");
  await page.locator("[name='/name_zh']").fill("会话过期的客户");
  await context.clearCookies();
  await page.getByRole("button", { name: "提交客户" }).last().click();
  await expect(page.locator("#login-error")).toContainText("登录已过期");
  await page.fill("#login", "team_lead");
  await page.fill("#password", "wrong");
  await page.locator("form:not(.demo) button.primary").click();
  await expect(page.locator("#login-error")).toContainText("不正确");
  await page.fill("#password", "demo");
  await page.locator("form:not(.demo) button.primary").click();
  await expect(page).toHaveURL(/\/records\/customer\/[0-9a-f-]{36}$/);
  await expect(page.locator("h1")).toContainText("会话过期的客户");
});

test("rules follow what one types in a record that is there", async ({ page }) => {
  await logIn(page, "team_lead");
  const [ticket] = await records(page, "ticket", "state != 'closed' and category == 'refund'");
  await page.goto(`/records/ticket/${ticket!.id}/edit`);
  const flight = page.locator("[data-field='/flight_no']");
  await expect(flight).toBeHidden();
  const answer = page.waitForResponse(/\/evaluate/);
  await page.locator("[name='/category']").selectOption("delay");
  expect((await answer).status()).toBe(200);
  await expect(flight).toBeVisible();
  await expect(flight.locator(".req")).toBeVisible();
});

test("rules follow what one types in a task", async ({ page }) => {
  await logIn(page, "agent");
  const [task] = await tasks(page, "claimable", "handle");
  await page.goto(`/inbox?box=claimable&task=${task!.id}`);
  await page.locator("#task").getByRole("button", { name: "领取任务" }).click();
  const customer = page.locator("[data-field='/fields/customer']");
  await expect(customer.locator(":scope > label > .req")).toBeHidden();
  const answer = page.waitForResponse(/\/evaluate/);
  await page.locator("[name='/fields/compensation']").fill("10");
  expect((await answer).status()).toBe(200);
  await expect(customer.locator(":scope > label > .req")).toBeVisible();
});
