/// Lists by keyboard: ticked rows, undo, the palette, drafts, and the way from one record to the next.
import { expect, test } from "@playwright/test";
import { logIn, records } from "./people.ts";

test("ticked rows are changed at once and one button takes it back", async ({ page }) => {
  await logIn(page, "team_lead");
  await page.goto("/records/ticket?view=open");
  await expect(page.locator("#bulk")).toBeHidden();
  await page.keyboard.press("j");
  await page.keyboard.press("x");
  await page.keyboard.press("j");
  await page.keyboard.press("x");
  await expect(page.locator("#bulk")).toContainText("已选 2 条");
  const ids = await page.locator("td.tick input:checked").evaluateAll((boxes) => boxes.map((box) => (box as HTMLInputElement).value));
  const subject = async () => ((await (await page.request.get(`/api/records/ticket/${ids[0]}`)).json()) as { subject: string }).subject;
  const before = await subject();
  await page.locator("#bulk button[value=edit]").click();
  await page.locator("input[name=_set][value='/subject']").check();
  await page.locator("[name='/subject']").fill("一起改的");
  await page.locator("button.primary").click();
  await expect(page.locator("#notice")).toContainText("已修改 2 条记录");
  expect(await subject()).toBe("一起改的");
  await page.keyboard.press("u");
  await expect(page.locator("#notice")).toContainText("已撤销");
  expect(await subject()).toBe(before);
});

test("the palette goes to a page and finds a record, and leaves a composition alone", async ({ page }) => {
  await logIn(page, "team_lead");
  await page.goto("/records/ticket?view=open");
  const [ticket] = await records(page, "ticket", "state != 'closed'");
  await page.keyboard.press("Control+k");
  const dialog = page.locator("#palette");
  await expect(dialog.locator("[role=option]").first()).toBeVisible();
  const cdp = await page.context().newCDPSession(page);
  const asked: string[] = [];
  page.on("request", (request) => request.url().includes("/api/search") && asked.push(request.url()));
  await cdp.send("Input.imeSetComposition", { text: "ke", selectionStart: 2, selectionEnd: 2 });
  await cdp.send("Input.insertText", { text: "客户" });
  await expect(dialog.locator("[role=option]").first()).toContainText("客户");
  expect(asked.filter((url) => /q=ke?$/.test(url))).toEqual([]);
  await dialog.locator("input").fill(ticket!.title.split(" ")[0]!);
  await expect(dialog.locator("[role=option]", { hasText: ticket!.title }).first()).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(dialog).toBeHidden();
  await page.keyboard.press("?");
  await expect(page.locator("#keys")).toContainText("g i");
  await page.locator("#keys button[name=_keys]").click();
  await page.keyboard.press("c");
  await expect(page).toHaveURL(/records\/ticket\?view=open/);
  await page.context().clearCookies({ name: "fw_keys" });
});

test("what is typed is kept until it is sent", async ({ page }) => {
  await logIn(page, "agent");
  await page.goto("/records/ticket/new");
  const kept = page.waitForResponse((answer) => answer.url().endsWith("/draft") && answer.ok());
  await page.locator("[name='/subject']").fill("写了一半");
  await kept;
  await expect(page.locator("[data-draft-state]")).toContainText("草稿已保存");
  await page.goto("/inbox");
  await page.goto("/records/ticket/new");
  await expect(page.locator("[name='/subject']")).toHaveValue("写了一半");
  await page.getByRole("button", { name: "丢弃草稿" }).click();
  await expect(page.locator("[name='/subject']")).toHaveValue("");
});

test("from one record to the next, and back to the list", async ({ page }) => {
  await logIn(page, "team_lead");
  await page.goto("/records/ticket?view=all&sort=no");
  await page.locator("tbody tr a").first().click();
  await expect(page.locator(".beside")).toContainText("第 1 条");
  await page.keyboard.press("]");
  await expect(page.locator(".beside")).toContainText("第 2 条");
  await page.keyboard.press("[");
  await expect(page.locator(".beside")).toContainText("第 1 条");
  await page.locator(".crumbs a").click();
  await expect(page).toHaveURL(/view=all&sort=no/);
});
