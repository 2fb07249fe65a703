/// Without JavaScript: lists, filters, forms and tasks are links and forms.
import { expect, test } from "@playwright/test";
import { logIn, tasks } from "./people.ts";

test.use({ javaScriptEnabled: false });

test("a list is filtered", async ({ page }) => {
  await logIn(page, "team_lead");
  await page.goto("/records/ticket?view=all");
  const chip = page.locator(".chip", { hasText: "类别" });
  await chip.locator("summary").click();
  await chip.getByLabel("退票", { exact: true }).check();
  await chip.getByRole("button").click();
  await expect(page).toHaveURL(/f\.category=refund/);
  await expect(page).toHaveURL(/view=all/);
  expect(new Set(await page.locator("tbody td[data-label='类别']").allTextContents())).toEqual(new Set(["退票"]));
});

test("a form updates its fields, adds and removes rows, and is filed", async ({ page }) => {
  await logIn(page, "team_lead");
  await page.goto("/records/ticket/new");
  await page.getByLabel("主题").fill("没有脚本也能提交");
  await page.locator("[name='/category']").selectOption({ label: "行李" });
  await page.getByRole("button", { name: "更新字段" }).click();
  await expect(page.locator("[name='/flight_no']")).toBeVisible();
  await expect(page.locator("[name='/subject']")).toHaveValue("没有脚本也能提交");
  await page.locator("[name='/flight_no']").fill("FW1881");
  await page.getByRole("button", { name: "添加一行" }).click();
  await page.locator("[name='/items/new-1/claimed']").fill("80");
  await page.getByRole("button", { name: "添加一行" }).click();
  await expect(page.locator("[name='/items/new-1/claimed']")).toHaveValue("80");
  await page.getByRole("button", { name: "删除此行" }).last().click();
  await expect(page.locator("[name='/items/new-2/claimed']")).toHaveCount(0);
  await expect(page.locator("[data-field='/claimed_total'] output")).toHaveText("¥80.00");
  await page.getByRole("button", { name: "提交服务工单" }).last().click();
  await expect(page).toHaveURL(/\/records\/ticket\/[0-9a-f-]{36}$/);
  await expect(page.locator("#main")).toContainText("¥80.00");
});

test("a task is claimed and completed", async ({ page }) => {
  await logIn(page, "team_lead");
  const [task] = await tasks(page, "claimable", "handle");
  await page.goto(`/inbox?box=claimable&task=${task!.id}`);
  await page.locator("#task").getByRole("button", { name: "领取任务" }).click();
  await expect(page).toHaveURL(/box=mine/);
  await page.locator("#task").getByRole("button", { name: "直接答复" }).click();
  await expect(page.locator("#notice")).toContainText("任务已完成");
});

test("language and appearance are chosen by buttons", async ({ page }) => {
  await logIn(page, "analyst");
  await page.goto("/home");
  await page.locator("details.me summary").click();
  await page.getByRole("button", { name: "English" }).click();
  await expect(page.locator("html")).toHaveAttribute("lang", "en");
  await page.locator("details.me summary").click();
  await page.getByRole("button", { name: "Dark" }).click();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await page.locator("details.me summary").click();
  await page.getByRole("button", { name: "中文" }).click();
  await expect(page.locator("html")).toHaveAttribute("lang", "zh-CN");
});
