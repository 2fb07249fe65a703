/// Every page, in both schemes and on a phone: accessible, within its policy, no wider than the screen; a picture of each.
import AxeBuilder from "@axe-core/playwright";
import { expect, test, type Page } from "@playwright/test";
import { logIn, records, tasks } from "./people.ts";
import { screenshots } from "./playwright.config.ts";

const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** What the browser refused by the content security policy, and what scripts threw. */
function watch(page: Page): string[] {
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    if (/Content Security Policy|violates|Refused to/.test(message.text())) complaints.push(message.text());
  });
  return complaints;
}

async function inspect(page: Page, name: string): Promise<void> {
  const { project } = test.info();
  // Whole only when its islands are there.
  await page.waitForFunction(() => !document.querySelector(":not(:defined)"));
  await page.screenshot({ path: `${screenshots}${name}-${project.name}.png`, fullPage: true });
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(overflow, `${name} is wider than the screen`).toBeLessThanOrEqual(0);
  const overlapping = await page.evaluate(() => {
    const boxes = [...document.querySelectorAll(".columns > *, .tiles > *")].map((one) => [one, ...one.querySelectorAll(":scope > .card")]);
    const rects = boxes.map((all) => all.map((one) => one.getBoundingClientRect()));
    const over = (a: DOMRect, b: DOMRect) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
    return rects.some((a, at) => rects.slice(at + 1).some((b) => a.some((one) => b.some((two) => over(one, two)))));
  });
  expect(overlapping, `${name}: columns or tiles lie over each other`).toBe(false);
  const cut = await page.evaluate(() => [...document.querySelectorAll(".tile > .frame")].filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.parentElement!.id));
  expect(cut, `${name}: tiles that cut a column`).toEqual([]);
  // What a sticky bar happens to lie over is free once one scrolls: the sizes of targets are looked at without it.
  const stick = (position: string) =>
    page.evaluate((to) => document.querySelectorAll<HTMLElement>(".stick, .bar").forEach((bar) => (bar.style.position = to)), position);
  await stick("static");
  const found = await new AxeBuilder({ page }).withTags(rules).analyze();
  await stick("");
  expect(found.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.target).join(" ")}`)).toEqual([]);
}

test("log-in page", async ({ page }) => {
  const complaints = watch(page);
  await page.goto("/login");
  await inspect(page, "login");
  await page.fill("#login", "agent");
  await page.fill("#password", "wrong");
  await page.locator("form:not(.demo) button.primary").click();
  await expect(page.locator("[role=alert]")).toBeVisible();
  await inspect(page, "login-wrong");
  expect(complaints).toEqual([]);
});

test("pages of people who are not logged in", async ({ page }) => {
  const complaints = watch(page);
  await page.goto("/p/ticket");
  await inspect(page, "public-form");
  await page.getByRole("button", { name: "提交服务工单" }).last().click();
  await expect(page.locator("#summary")).toBeVisible();
  await inspect(page, "public-form-rejected");
  await page.goto("/p/track");
  await inspect(page, "track");
  expect(complaints).toEqual([]);
});

test("pages of a team lead", async ({ page }) => {
  test.slow();
  const complaints = watch(page);
  await logIn(page, "team_lead");
  const [ticket] = await records(page, "ticket", "category == 'baggage' and state != 'closed' and customer != null");
  const read = await page.request.get(`/api/records/ticket/${ticket!.id}`);
  const { customer } = (await read.json()) as { customer: { id: string } };
  const [task] = await tasks(page, "claimable");
  const paths: Record<string, string> = {
    home: "/home",
    list: "/records/ticket",
    "list-filtered": "/records/ticket?view=all&f.category=baggage&f.category=refund&q=nothing-like-this",
    customers: "/records/customer",
    record: `/records/ticket/${ticket!.id}`,
    "record-timeline": `/records/ticket/${ticket!.id}?tab=timeline`,
    "record-history": `/records/ticket/${ticket!.id}?tab=history`,
    customer: `/records/customer/${customer.id}`,
    "customer-fields": `/records/customer/${customer.id}?page=fields`,
    "customer-related": `/records/customer/${customer.id}?page=fields&tab=related`,
    edit: `/records/ticket/${ticket!.id}/edit`,
    new: "/records/ticket/new",
    inbox: "/inbox",
    task: `/inbox?box=claimable&task=${task!.id}`,
    board: "/boards/service_desk",
    desk: "/boards/agent_desk",
    report: "/reports/tickets_by_week",
    search: "/search?q=行李",
    "search-empty": "/search",
    notices: "/notices",
    "list-columns": "/records/ticket?view=all&_open=columns",
    missing: "/records/ticket/nothing",
  };
  for (const [name, path] of Object.entries(paths)) {
    await test.step(name, async () => {
      await page.goto(path);
      await inspect(page, name);
    });
  }
  expect(complaints).toEqual([]);
});

test("open menus and chips", async ({ page }) => {
  const complaints = watch(page);
  await logIn(page, "team_lead");
  await page.goto("/records/ticket");
  await page.locator(".chip summary").nth(1).click();
  await inspect(page, "chip");
  await page.goto("/records/ticket");
  await page.locator("td.tick input").first().check();
  await inspect(page, "list-ticked");
  await page.locator("#bulk button[value=edit]").click();
  await inspect(page, "bulk");
  await page.keyboard.press("Control+k");
  await expect(page.locator("#palette [role=option]").first()).toBeVisible();
  await inspect(page, "palette");
  const [task] = await tasks(page, "claimable");
  await page.goto(`/inbox?box=claimable&task=${task!.id}`);
  await page.locator("#task details.menu > summary").click();
  await inspect(page, "task-menu");
  expect(complaints).toEqual([]);
});

test("what changed meanwhile", async ({ page }) => {
  const complaints = watch(page);
  await logIn(page, "team_lead");
  const change = async (id: string) => {
    const data = { subject: `改于 ${Date.now()}` };
    expect((await page.request.patch(`/api/records/ticket/${id}`, { data })).ok()).toBe(true);
  };
  const [ticket] = await records(page, "ticket", "state == 'routed'");
  for (const [name, path] of [["list", "/records/ticket"], ["record", `/records/ticket/${ticket!.id}`], ["edit", `/records/ticket/${ticket!.id}/edit`]] as const) {
    await page.goto(path);
    if (name === "list") await page.locator("td.tick input").first().check();
    await change(ticket!.id);
    await expect(page.locator("#news .banner")).toBeVisible();
    await inspect(page, `news-${name}`);
  }
  expect(complaints).toEqual([]);
});

test("pages of an administrator", async ({ page, request }) => {
  const complaints = watch(page);
  // Colours are looked at where they are, not on their way.
  await page.emulateMedia({ reducedMotion: "reduce" });
  await logIn(page, "admin");
  // Somebody is written to, so that there is a message: to a number of its own, for not every customer has one.
  await request.post("/api/session", { data: { login: "team_lead", password: "demo" } });
  const some = await request.get("/api/records/customer", { params: { limit: "1" } });
  const customer = ((await some.json()) as { items: { id: string }[] }).items[0]!.id;
  const flight_no = `FW${1000 + (Date.now() % 9000)}`;
  const ticket = { subject: "行李未到", category: "baggage", flight_no, channel: "call", customer, phone: "13800138000" };
  const filed = await request.post("/api/records/ticket", { data: ticket });
  expect(filed.status(), await filed.text()).toBe(201);
  const found = await page.request.get("/api/admin/users", { params: { q: "agent" } });
  const { items } = (await found.json()) as { items: { id: string }[] };
  const paths: Record<string, string> = {
    "admin-users": "/admin/users",
    "admin-users-none": "/admin/users?q=nobody-at-all",
    "admin-user": `/admin/users/${items[0]!.id}`,
    "admin-user-new": "/admin/users/new",
    "admin-queues": "/admin/queues",
    "admin-queue": "/admin/queues/triage",
    "admin-teams": "/admin/teams",
    "admin-incidents": "/admin/incidents",
    "admin-outbox": "/admin/outbox",
    "admin-jobs": "/admin/jobs",
    me: "/me",
    "me-password": "/me/password",
  };
  for (const [name, path] of Object.entries(paths)) {
    await test.step(name, async () => {
      await page.goto(path);
      if (name === "admin-outbox") {
        await expect(async () => {
          await page.reload();
          await expect(page.locator("tbody tr").first()).toContainText("ticket_ack", { timeout: 500 });
        }).toPass();
      }
      await inspect(page, name);
    });
  }
  await page.goto("/admin/users/new");
  await page.fill("#login", "a b");
  await page.locator("button[value=save]").click();
  await expect(page.locator("#summary")).toBeVisible();
  await inspect(page, "admin-user-rejected");
  await page.goto("/me");
  await page.locator("details.make > summary").click();
  await inspect(page, "me-token");
  expect(complaints).toEqual([]);
});

test("pages of an auditor", async ({ page }) => {
  const complaints = watch(page);
  await logIn(page, "auditor");
  await page.goto("/admin/audit");
  await inspect(page, "admin-audit");
  await page.goto("/admin/audit?q=nobody-at-all");
  await inspect(page, "admin-audit-none");
  expect(complaints).toEqual([]);
});

test("the pages speak English", async ({ page }) => {
  await logIn(page, "admin");
  await page.goto("/home");
  await expect(page.locator("html")).toHaveAttribute("lang", "en");
  await inspect(page, "home-english");
});
