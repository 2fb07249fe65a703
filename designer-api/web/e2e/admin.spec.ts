/// An administrator lets somebody in and out again: a user is added, logs in with the password given, must choose another,
/// and is logged out everywhere.
import { expect, test, type Browser, type Page } from "@playwright/test";
import { logIn } from "./people.ts";

/** Another browser, with cookies of its own. */
async function elsewhere(browser: Browser): Promise<Page> {
  return (await browser.newContext()).newPage();
}

async function enter(page: Page, login: string, password: string): Promise<void> {
  await page.goto("/login");
  await page.fill("#login", login);
  await page.fill("#password", password);
  await page.locator("form:not(.demo) button.primary").click();
}

test("a user is added, chooses a password, and is logged out everywhere", async ({ page, browser }) => {
  const login = `fang${Date.now()}`;
  await logIn(page, "admin");
  await page.getByRole("link", { name: "Users" }).first().click();
  await page.getByRole("link", { name: "Add user" }).click();
  await page.getByRole("button", { name: "Add user" }).click();
  await page.fill("#login", login);
  await page.fill("#name", "王芳");
  await page.getByLabel("Agent", { exact: true }).check();
  await page.getByLabel("Triage", { exact: true }).check();
  await page.getByRole("button", { name: "Add user" }).click();
  const given = (await page.locator("#password").textContent())!.trim();
  expect(given).toMatch(/^[0-9a-z]{4}(-[0-9a-z]{4}){3}$/);
  await page.getByRole("link", { name: "To the user" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toContainText("One-time password");

  // She sees nothing but the page to choose a password.
  const fang = await elsewhere(browser);
  await enter(fang, login, given);
  await expect(fang).toHaveURL(/\/me\/password$/);
  await fang.goto("/inbox");
  await expect(fang).toHaveURL(/\/me\/password$/);
  await fang.fill("#old", given);
  await fang.fill("#new", "three green parrots");
  await fang.fill("#again", "three green carrots");
  await fang.locator("button.primary").click();
  await expect(fang.locator("#again-error")).toBeVisible();
  await fang.fill("#old", given);
  await fang.fill("#new", "three green parrots");
  await fang.fill("#again", "three green parrots");
  await fang.locator("button.primary").click();
  await expect(fang.locator(".me summary")).toContainText("王芳");

  // The password given is good no more; her own is.
  const other = await elsewhere(browser);
  await enter(other, login, given);
  await expect(other.locator("#login-error")).toBeVisible();
  await enter(other, login, "three green parrots");
  await expect(other.locator(".me summary")).toContainText("王芳");

  // She serves the queue, and is taken out of it.
  await page.goto("/admin/queues/triage");
  await page.getByRole("button", { name: "Remove 王芳" }).click();
  await expect(page.locator("#notice")).toContainText("Removed");
  await expect(page.getByRole("button", { name: "Remove 王芳" })).toHaveCount(0);

  await page.goto(`/admin/users?q=${login}`);
  await page.getByRole("link", { name: "王芳" }).click();
  await page.getByRole("button", { name: "Log out everywhere" }).click();
  await expect(page.getByText("Not logged in anywhere.")).toBeVisible();
  for (const one of [fang, other]) {
    await one.goto("/me");
    await expect(one).toHaveURL(/\/login/);
  }
});

test("somebody makes a token, uses it, and revokes it", async ({ page, request }) => {
  await logIn(page, "team_lead");
  await page.goto("/me");
  await page.locator("details.make > summary").click();
  await page.fill("#name", "夜间导出");
  await page.locator("input[name=scope][value='records:read']").check();
  await page.locator("button[value=token]").click();
  const secret = (await page.locator("#secret").textContent())!.trim();
  const read = async () => (await request.get("/api/records/customer", { headers: { authorization: `Bearer ${secret}` } })).status();
  expect(await read()).toBe(200);
  await page.goto("/me");
  await expect(page.locator("body")).not.toContainText(secret);
  await page.getByRole("button", { name: "吊销 夜间导出" }).click();
  await expect(page.locator("#notice")).toContainText("令牌已吊销");
  expect(await read()).toBe(401);
});

test("an auditor finds what an administrator did, and nothing else", async ({ page, browser }) => {
  const login = `tian${Date.now()}`;
  await logIn(page, "admin");
  const made = await page.request.post("/api/admin/users", { data: { login, name: "田雨", roles: ["agent"] } });
  expect(made.status(), await made.text()).toBe(201);
  expect((await page.request.get("/admin/audit")).status()).toBe(403);

  const auditor = await elsewhere(browser);
  await logIn(auditor, "auditor");
  await auditor.getByRole("link", { name: "Audit log" }).first().click();
  await auditor.locator("input[name=q]").fill(login);
  await auditor.getByRole("button", { name: "Filter" }).click();
  await expect(auditor.getByRole("row").filter({ hasText: login })).toHaveCount(1);
  await expect(auditor.getByRole("row").filter({ hasText: login })).toContainText("User added");
  const download = auditor.waitForEvent("download");
  await auditor.getByRole("link", { name: "Export CSV" }).click();
  expect((await download).suggestedFilename()).toBe("audit.csv");
  expect((await auditor.request.get("/admin/users")).status()).toBe(403);
});
