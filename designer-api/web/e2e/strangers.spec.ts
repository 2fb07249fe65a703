/// A traveller who never logs in: files a request, is asked, answers, and sees how far it is; the agent's side beside it.
import { expect, test, type Browser, type Page } from "@playwright/test";
import { logIn } from "./people.ts";

const phone = "13900139000";

async function file(page: Page, subject: string): Promise<string> {
  await page.goto("/p/ticket");
  await page.getByLabel("主题").fill(subject);
  await page.getByLabel("类别").selectOption({ label: "退票" });
  await page.locator("[name='/phone']").fill(phone);
  await page.getByRole("button", { name: "提交服务工单" }).last().click();
  await expect(page).toHaveURL(/\/p\/ticket\/sent/);
  return (await page.locator("#reference").innerText()).trim();
}

async function follow(page: Page, reference: string): Promise<void> {
  await page.goto("/p/track?form=ticket");
  await page.getByLabel("工单号").fill(reference);
  await page.getByLabel("后 4 位").fill(phone.slice(-4));
  await page.getByRole("button", { name: "查询", exact: true }).click();
}

async function anybody(browser: Browser, javaScriptEnabled = true): Promise<Page> {
  return (await browser.newContext({ locale: "zh-CN", javaScriptEnabled })).newPage();
}

test("a traveller files, is asked and answers; the agent hears it", async ({ page, browser }) => {
  const traveller = await anybody(browser);
  const reference = await file(traveller, "退票手续费有疑问");
  expect(reference).toMatch(/^ST\d{8}-\d{6}$/);
  await follow(traveller, reference);
  await expect(traveller.locator(".stages [aria-current]")).toHaveText(/处理中/);

  await logIn(page, "team_lead");
  await page.goto(`/records/ticket?view=all&q=${encodeURIComponent("退票手续费有疑问")}`);
  await page.locator("tbody tr a").first().click();
  await page.getByPlaceholder("写评论，仅内部可见").fill("请提供电子客票号");
  await page.getByRole("button", { name: "回复客户" }).click();
  await page.getByRole("button", { name: "领取任务" }).click();

  await follow(traveller, reference);
  await expect(traveller.locator(".talk")).toContainText("请提供电子客票号");
  await traveller.getByLabel("补充说明").fill("客票号 9991234567890");
  await traveller.getByRole("button", { name: "提交补充说明" }).click();
  await expect(traveller.locator(".talk .mine")).toContainText("9991234567890");
  await page.reload();
  await expect(page.locator("#main")).toContainText("客票号 9991234567890");
});

test("a wrong proof says no more than that", async ({ browser }) => {
  const page = await anybody(browser);
  await follow(page, "ST20990101-999999");
  await expect(page.getByRole("alert")).toContainText("没有找到相符的记录");
  await expect(page.getByLabel("工单号")).toHaveValue("ST20990101-999999");
});

test("without JavaScript it is filed and followed, too", async ({ browser }) => {
  const page = await anybody(browser, false);
  const reference = await file(page, "没有脚本也能提交");
  await follow(page, reference);
  await expect(page.locator(".stages")).toBeVisible();
});

test("whoever is quicker than the work of the browser waits for it", async ({ browser }) => {
  const page = await anybody(browser);
  // Scripts of the page have run by then, its work has only begun.
  await page.addInitScript(() => document.addEventListener("DOMContentLoaded", () => document.querySelector<HTMLFormElement>("#form")?.requestSubmit(), { once: true }));
  const posted = page.waitForRequest((request) => request.method() === "POST");
  await page.goto("/p/ticket");
  const proof = new URLSearchParams((await posted).postData() ?? "").get("_proof");
  expect(proof).toMatch(/^\d+$/);
  await expect(page.locator("#summary")).toBeVisible();
});
