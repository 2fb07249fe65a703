/// What is refused: foreign origins, lost sessions, pages of other roles, fields one may not read.
import { expect, test } from "@playwright/test";
import { logIn, records } from "./people.ts";

test("a request from another site is refused", async ({ page }) => {
  for (const path of ["/login", "/me", "/logout"]) {
    const answer = await page.request.post(path, { headers: { origin: "https://elsewhere.example", "sec-fetch-site": "cross-site" }, form: { "_demo": "agent" }, maxRedirects: 0 });
    expect(answer.status(), path).toBe(403);
    expect(answer.headers()["set-cookie"] ?? "").not.toContain("fw_session");
  }
});

test("a session that is over leads to the log-in page and back", async ({ page }) => {
  await logIn(page, "team_lead");
  await page.goto("/records/ticket?view=all");
  await page.context().clearCookies();
  const chip = page.locator(".chip", { hasText: "类别" });
  await chip.locator("summary").click();
  await chip.getByLabel("行李", { exact: true }).click();
  await expect(page).toHaveURL(/\/login\?next=/);
  await page.locator("button[name=_demo][value=team_lead]").click();
  await expect(page).toHaveURL(/\/records\/ticket\?.*f\.category=baggage/);
});

test("what goes wrong in a part of the page is a notice, and the part stays", async ({ page }) => {
  await logIn(page, "team_lead");
  await page.goto("/records/ticket?view=all");
  await page.route(/sort=/, (route) => route.continue({ url: `${new URL(route.request().url()).origin}/records/ticket?filter=nonsense(` }));
  await page.getByRole("link", { name: "主题" }).click();
  await expect(page.locator("#notice .notice.bad")).toContainText("请求无法识别");
  await expect(page).toHaveURL(/\/records\/ticket\?view=all$/);
  await expect(page.locator("tbody tr").first()).toBeVisible();
});

test("pages of other roles and records that are not", async ({ page }) => {
  await logIn(page, "analyst");
  await expect((await page.goto("/records/ticket/new"))!.status()).toBe(403);
  await expect(page.locator("h1")).toHaveText("无权访问");
  await expect((await page.goto("/records/ticket/01900000-0000-7000-8000-000000000000"))!.status()).toBe(404);
  const unknown = await page.locator(".fault").innerText();
  await expect((await page.goto("/records/nothing"))!.status()).toBe(404);
  expect(await page.locator(".fault").innerText()).toBe(unknown);
});

test("a masked value is a mask, a hidden field is nowhere", async ({ page }) => {
  await logIn(page, "team_lead");
  const [customer] = await records(page, "customer", "phone != null and state == 'active'");
  const path = `/records/customer/${customer!.id}`;
  const full = await (await page.request.get(`/api${path}`)).json();
  await page.context().clearCookies();
  const national = String(full.phone).replace(/^\+86/, "");
  for (const [user, masks] of [["agent", true], ["analyst", false]] as const) {
    await logIn(page, user);
    for (const address of [path, ...(masks ? [`${path}/edit`] : [])]) {
      await page.goto(address);
      const html = (await page.content()).replaceAll(" ", "");
      expect(html, `${user} ${address}`).not.toContain(national);
      expect(html.includes(`${national.slice(0, 3)}****${national.slice(-4)}`)).toBe(masks);
      expect(html).not.toContain(String(full.birth_date ?? "no birth date"));
      expect(html.includes("手机号码")).toBe(masks);
    }
    await page.context().clearCookies();
  }
});
