/// The story: somebody files a ticket, somebody handles it, and the number on the board follows.
import { expect, test, type Page } from "@playwright/test";
import { logIn, records, tasks } from "./people.ts";

test("a wrong password does not say what was wrong", async ({ page }) => {
  await page.goto("/inbox?box=team");
  await expect(page).toHaveURL(/\/login\?next=/);
  for (const login of ["agent", "nobody"]) {
    await page.fill("#login", login);
    await page.fill("#password", "wrong");
    await page.locator("form:not(.demo) button.primary").click();
    await expect(page.locator("#login-error")).toHaveText("用户名或密码不正确。");
    await expect(page).toHaveTitle(/^错误：/);
    await expect(page.locator("#login")).toHaveValue(login);
  }
  await page.fill("#login", "agent");
  await page.fill("#password", "demo");
  await page.locator("form:not(.demo) button.primary").click();
  await expect(page).toHaveURL(/\/inbox\?box=team$/);
});

test("a list is filtered, sorted and searched, and its address says how", async ({ page }) => {
  await logIn(page, "team_lead");
  await page.goto("/records/ticket?view=all");
  const chip = page.locator(".chip", { hasText: "类别" });
  await chip.locator("summary").click();
  await chip.getByLabel("行李", { exact: true }).check();
  await expect(page).toHaveURL(/f\.category=baggage/);
  await expect(page.locator(".chip.on")).toContainText("行李");
  const categories = page.locator("tbody td[data-label='类别']");
  await expect(categories.first()).toHaveText("行李");
  expect(new Set(await categories.allTextContents())).toEqual(new Set(["行李"]));

  await page.getByRole("link", { name: "反映时间" }).click();
  await expect(page).toHaveURL(/sort=occurred_at/);
  await expect(page.locator("th[aria-sort=ascending]")).toHaveText("反映时间");

  await page.locator("#q").fill("拉杆");
  await expect(page).toHaveURL(/q=/);
  await expect(page.locator("tbody tr").first()).toContainText("拉杆");
  await expect(page).toHaveURL(/f\.category=baggage/);

  await page.reload();
  await expect(page.locator("#q")).toHaveValue("拉杆");
  await expect(page.locator("tbody tr").first()).toContainText("拉杆");
  await page.locator(".filters > a.quiet").click();
  await expect(page).not.toHaveURL(/category|q=/);
});

test("a page turns forwards and back to the first", async ({ page }) => {
  await logIn(page, "team_lead");
  await page.goto("/records/ticket?view=all");
  const first = await page.locator("tbody tr a").first().textContent();
  await page.locator("a[rel=next]").click();
  await expect(page).toHaveURL(/after=/);
  await expect(page.locator("tbody tr a").first()).not.toHaveText(first!);
  await page.goBack();
  await expect(page.locator("tbody tr a").first()).toHaveText(first!);
  await expect(page.locator("aside.side")).toBeVisible();
});

test("from the desk to the board", async ({ page }) => {
  await logIn(page, "team_lead");
  const before = await ticketsOnBoard(page);
  const [customer] = await records(page, "customer", "state == 'active' and tier == 'basic'");

  await test.step("rules follow what one types", async () => {
    await page.goto("/records/ticket/new");
    const flight = page.locator("[data-field='/flight_no']");
    await expect(flight).toBeHidden();
    await page.getByLabel("主题").fill("行李箱轮子丢失");
    await page.locator("[name='/category']").selectOption({ label: "行李" });
    await expect(flight).toBeVisible();
    await expect(flight.locator(".req")).toBeVisible();
  });

  await test.step("rows of a child table", async () => {
    await page.getByRole("button", { name: "添加一行" }).click();
    await page.locator("[name='/items/new-1/bag_tag']").fill("0123456789");
    await page.locator("[name='/items/new-1/claimed']").fill("1200");
    await page.getByRole("button", { name: "添加一行" }).click();
    await page.locator("[name='/items/new-2/bag_tag']").fill("0123456780");
    await page.locator("[name='/items/new-2/claimed']").fill("300.50");
    await page.locator("[name='/items/new-2/claimed']").blur();
    await expect(page.locator("[data-field='/claimed_total'] output")).toHaveText("¥1,500.50");
  });

  await test.step("what is missing is said at its field", async () => {
    await page.getByRole("button", { name: "提交服务工单" }).last().click();
    const summary = page.locator("#summary");
    await expect(summary).toBeFocused();
    await expect(page).toHaveTitle(/^错误：/);
    await summary.getByRole("link", { name: "航班号" }).click();
    await expect(page.locator("[name='/flight_no']")).toBeFocused();
    await expect(page.locator("[name='/items/new-2/claimed']")).toHaveValue("300.50");
  });

  await test.step("a lookup finds the customer", async () => {
    await page.locator("[name='/flight_no']").fill("FW1881");
    const box = page.getByRole("combobox", { name: "客户" });
    await box.click();
    await box.pressSequentially(customer!.title);
    await page.getByRole("option", { name: customer!.title }).first().click();
    await expect(page.locator("[data-field='/tier'] output")).not.toHaveText("–");
    await page.getByRole("button", { name: "提交服务工单" }).last().click();
    await expect(page).toHaveURL(/\/records\/ticket\/[0-9a-f-]{36}$/);
    await expect(page.locator("#notice")).toContainText("已提交");
    await expect(page.locator("h1")).toContainText("行李箱轮子丢失");
    await expect(page.locator(".related", { hasText: "索赔行李" }).locator("tbody tr")).toHaveCount(2);
  });

  await test.step("its task is claimed and completed", async () => {
    await page.locator(".task").getByRole("button", { name: "领取任务" }).click();
    await expect(page.locator("#notice")).toContainText("任务已领取");
    await page.locator("[name='/fields/compensation']").fill("9999");
    await page.getByRole("button", { name: "提出补偿方案" }).click();
    await expect(page.locator("#summary")).toContainText("补偿金额不能超过索赔合计");
    await expect(page.locator("[name='/fields/compensation']")).toHaveValue("9999");
    await page.locator("[name='/fields/compensation']").fill("300");
    await page.getByRole("button", { name: "提出补偿方案" }).click();
    await expect(page).toHaveURL(/\/records\/ticket\/[0-9a-f-]{36}$/);
    await expect(page.locator("#notice")).toContainText("任务已完成");
    await expect(page.locator("h1 .pill")).toHaveText("已关闭");
    await expect(page.locator("#activity")).toContainText("提出补偿方案");
  });

  await test.step("the board counts it", async () => {
    expect(await ticketsOnBoard(page)).toBe(before + 1);
  });
});

test("the inbox: claim in the list, release, transfer", async ({ page }) => {
  await logIn(page, "agent");
  const before = (await tasks(page, "mine")).length;
  await page.goto("/inbox?box=claimable&f.workflow=ticket_intake");
  await expect(page.locator(".chip.on")).toHaveCount(1);
  const line = page.locator("a.line").first();
  const title = await line.locator(".what").textContent();
  await line.click();
  await expect(page).toHaveURL(/task=/);
  await expect(page.locator("#task header a")).toHaveText(title!);
  await page.locator("#task").getByRole("button", { name: "领取任务" }).click();
  // What the inbox was narrowed to stays.
  await expect(page).toHaveURL(/box=mine&task=[^&]+&f.workflow=ticket_intake$/);
  await expect(page.locator("#task form.fill")).toBeVisible();
  await expect(page.locator("a[aria-current=page] .count").first()).toHaveText(String(before + 1));
  await page.locator("#task summary[aria-label='更多操作']").click();
  await page.getByRole("button", { name: "放回" }).click();
  await expect(page.locator("#notice")).toContainText("任务已放回");
  await expect(page).toHaveURL(/box=mine&f.workflow=ticket_intake$/);
  expect(await tasks(page, "mine")).toHaveLength(before);
});

test("two people change one record: what does not touch is merged, the rest is shown", async ({ page }) => {
  await logIn(page, "team_lead");
  const [customer] = await records(page, "customer", "state == 'active' and name_zh != null");
  const path = `/records/customer/${customer!.id}`;
  const change = async (values: object) => {
    const record = await page.request.get(`/api${path}`);
    const answer = await page.request.patch(`/api${path}`, { data: values, headers: { "if-match": record.headers()["etag"]! } });
    expect(answer.ok(), await answer.text()).toBe(true);
  };
  await page.goto(`${path}/edit`);
  await change({ given_name: "他人所改" });
  await page.locator("[name='/surname']").fill("我改的姓");
  await page.getByRole("button", { name: "保存客户" }).last().click();
  await expect(page).toHaveURL(new RegExp(`${path}$`));
  await expect(page.locator("#main")).toContainText("我改的姓");
  await expect(page.locator("#main")).toContainText("他人所改");

  await page.goto(`${path}/edit`);
  await change({ surname: "他人的姓" });
  await page.locator("[name='/surname']").fill("又是我的姓");
  await page.getByRole("button", { name: "保存客户" }).last().click();
  await expect(page.locator(".summary.warn tbody tr")).toContainText(["又是我的姓"]);
  await expect(page.locator(".summary.warn tbody tr")).toContainText(["他人的姓"]);
  await expect(page.locator("[name='/surname']")).toHaveValue("又是我的姓");
  await page.getByRole("button", { name: "保存客户" }).last().click();
  await expect(page).toHaveURL(new RegExp(`${path}$`));
  await expect(page.locator("#main")).toContainText("又是我的姓");
});

async function ticketsOnBoard(page: Page): Promise<number> {
  await page.goto("/boards/service_desk");
  const text = await page.locator("#tile-volume .kpi").textContent();
  return Number(text!.replace(/\D/g, ""));
}
