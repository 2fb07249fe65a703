/// The whole way of one request: a traveller files it on the public page, the right desk gets it and no other, an agent
/// claims, asks and proposes, a lead approves, and the traveller and the board follow. Once in Chinese on a desk, once in
/// English on a dark phone; a picture of every station, and of the key pages in the looks that are left.
import { expect, test, type Browser, type BrowserContextOptions, type Page } from "@playwright/test";
import { enter, records } from "./people.ts";
import { screenshots } from "./playwright.config.ts";

const desktop = { viewport: { width: 1280, height: 800 } };
const phone = { viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true };

type Look = { name: string; language: "zh-CN" | "en"; here: BrowserContextOptions; elsewhere: BrowserContextOptions };

/** `elsewhere`: the other scheme and width, in which the key pages are looked at, too. */
const looks: Look[] = [
  { name: "zh", language: "zh-CN", here: { ...desktop, colorScheme: "light" }, elsewhere: { ...phone, colorScheme: "dark" } },
  { name: "en", language: "en", here: { ...phone, colorScheme: "dark" }, elsewhere: { ...desktop, colorScheme: "light" } },
];

const words = {
  "zh-CN": {
    subject: "托运的黑色行李箱没有到达",
    body: "FW1881 航班落地后行李转盘上没有我的箱子，柜台登记后没有消息。",
    question: "请告诉我们行李箱的品牌和里面最贵重的物品。",
    answer: "某品牌 28 寸，里面有一台相机。",
    offer: "行李已确认遗失，按申报价值为您补偿。",
    working: "处理中",
    answered: "已答复",
  },
  en: {
    subject: "My black suitcase did not arrive",
    body: "It was not on the belt after FW1881 landed, and nobody has called since.",
    question: "Which make is the suitcase, and what is the most valuable thing in it?",
    answer: "A 28 inch hard shell; there is a camera in it.",
    offer: "The bag is lost for good; we pay what was declared.",
    working: "In progress",
    answered: "Answered",
  },
};

/** A page in a browser of its own. */
async function browse(browser: Browser, look: Look, options = look.here): Promise<Page> {
  return (await browser.newContext({ ...options, locale: look.language, timezoneId: "Asia/Shanghai", reducedMotion: "reduce" })).newPage();
}

/** Somebody new who serves these queues, logged in. */
async function join(browser: Browser, look: Look, name: string, roles: string[], queues: string[]): Promise<Page> {
  const page = await browse(browser, look);
  await enter(page, { name, roles, queues, language: look.language });
  return page;
}

async function picture(page: Page, look: Look, name: string): Promise<void> {
  await page.waitForFunction(() => !document.querySelector(":not(:defined)"));
  for (const chart of await page.locator("fw-chart").all()) await expect(chart.locator("svg path")).not.toHaveCount(0);
  // What stands still while one scrolls stands where it does at the top.
  await page.evaluate(() => scrollTo(0, 0));
  await page.screenshot({ path: `${screenshots}desk-${look.name}-${name}.png`, fullPage: true });
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(wider, `${name} is wider than the screen`).toBeLessThanOrEqual(0);
}

/** The same page in the look that is left: the other scheme, the other width. */
async function elsewhere(page: Page, look: Look, name: string): Promise<void> {
  const other = await browse(page.context().browser()!, look, look.elsewhere);
  await other.context().addCookies(await page.context().cookies());
  await other.goto(page.url());
  await picture(other, look, `${name}-elsewhere`);
  await other.context().close();
}

async function follow(page: Page, reference: string): Promise<void> {
  await page.goto("/p/track?form=ticket");
  await page.locator("[name='/no']").fill(reference);
  await page.locator("[name='/phone']").fill("8000");
  await page.locator("main form button.primary").click();
  await expect(page.locator(".stages")).toBeVisible();
}

/** What a figure of the board says. */
async function figure(page: Page, tile: string): Promise<number> {
  const text = await page.locator(`#tile-${tile} .kpi`).getAttribute("title");
  return Number((text ?? (await page.locator(`#tile-${tile} .kpi`).innerText())).replace(/[^\d.]/g, ""));
}

type Figures = { volume: number; open: number; money: number };
const none: Figures = { volume: 0, open: 0, money: 0 };

async function board(page: Page): Promise<Figures> {
  await page.goto("/boards/service_desk");
  return { volume: await figure(page, "volume"), open: await figure(page, "open"), money: await figure(page, "money") };
}

/** By how much the board has moved. */
function moved(before: Figures, after: Figures): Figures {
  return { volume: after.volume - before.volume, open: after.open - before.open, money: Math.round((after.money - before.money) * 100) / 100 };
}

for (const look of looks) {
  test(`a lost bag, from the traveller to the board (${look.name})`, async ({ browser }) => {
    test.slow();
    const said = words[look.language];
    const traveller = await browse(browser, look);
    const agent = await join(browser, look, "陈晓", ["agent"], ["baggage_desk"]);
    const stranger = await join(browser, look, "周敏", ["agent"], ["refund_desk"]);
    const lead = await join(browser, look, "何静", ["team_lead"], ["baggage_desk"]);
    const before = await board(lead);
    await picture(lead, look, "01-board-before");

    let reference = "";
    await test.step("a traveller files a request", async () => {
      await traveller.goto("/p/ticket");
      await traveller.locator("[name='/subject']").fill(said.subject);
      await traveller.locator("[name='/body']").fill(said.body);
      await traveller.locator("[name='/category']").selectOption("baggage");
      await expect(traveller.locator("[data-field='/flight_no']")).toBeVisible();
      await traveller.locator("[name='/flight_no']").fill("FW1881");
      await traveller.locator("[name='/phone']").fill("13800138000");
      await traveller.locator("[name='_add'][value='/items']").click();
      await traveller.locator("[name='/items/new-1/bag_tag']").fill("0123456789");
      await traveller.locator("[name='/items/new-1/claimed']").fill("1200");
      await expect(traveller.locator("[name$='/approved']")).toHaveCount(0);
      await picture(traveller, look, "02-public-form");
      await traveller.locator("#form .buttons button.primary").click();
      await expect(traveller).toHaveURL(/\/p\/ticket\/sent/);
      await picture(traveller, look, "03-sent");
      await elsewhere(traveller, look, "03-sent");
      reference = (await traveller.locator("#reference").innerText()).trim();
      await follow(traveller, reference);
      await expect(traveller.locator(".stages [aria-current]")).toContainText(said.working);
      await picture(traveller, look, "04-track-working");
    });

    let record = "";
    await test.step("the right desk gets it, and no other", async () => {
      await agent.goto("/inbox?box=claimable");
      const line = agent.locator("a.line", { hasText: reference });
      await expect(line).toBeVisible();
      await line.click();
      await expect(agent.locator("#task header a")).toContainText(said.subject);
      await picture(agent, look, "05-inbox");
      await elsewhere(agent, look, "05-inbox");
      record = (await agent.locator("#task header a").getAttribute("href"))!;

      await stranger.goto("/inbox?box=claimable");
      await expect(stranger.locator("#lines")).not.toContainText(reference);
      expect((await stranger.goto(record))!.status()).toBe(404);
      await picture(stranger, look, "06-other-desk");
      await stranger.goto(`/records/ticket?view=all&q=${reference}`);
      await expect(stranger.locator("tbody tr")).toHaveCount(0);
    });

    const act = async (outcome: string) => agent.locator(`.task [name=_outcome][value=${outcome}]`).click();
    const claim = async () => agent.locator(".task form[action$='/claim'] button").click();
    await test.step("the agent claims it and asks", async () => {
      await agent.goto(record);
      await claim();
      await expect(agent.locator(".task form.fill")).toBeVisible();
      await picture(agent, look, "07-claimed");
      await elsewhere(agent, look, "07-claimed");
      await agent.locator("#comment").fill(said.question);
      await agent.locator("#activity .reply").click();
      await expect(agent.locator("#activity")).toContainText(said.question);
      await act("ask");
      await expect(agent.locator("#tasks .task")).toHaveCount(0);
      await picture(agent, look, "08-asked");
    });

    await test.step("the traveller answers", async () => {
      await follow(traveller, reference);
      await expect(traveller.locator(".talk .theirs")).toContainText(said.question);
      await traveller.locator("#text").fill(said.answer);
      await picture(traveller, look, "09-track-asked");
      await traveller.locator("main form button.primary").click();
      await expect(traveller.locator(".talk .mine")).toContainText(said.answer);
      await picture(traveller, look, "10-track-answered");
    });

    await test.step("the agent hears it and proposes", async () => {
      const [customer] = await records(agent, "customer", "state == 'active' and tier == 'basic' and name_zh != null");
      await agent.goto(record);
      await expect(agent.locator("#activity")).toContainText(said.answer);
      await claim();
      const box = agent.locator(".task fw-lookup [role=combobox], .task [role=combobox]").first();
      await box.click();
      await box.pressSequentially(customer!.title);
      await agent.getByRole("option", { name: customer!.title }).first().click();
      await agent.locator("[name='/fields/compensation']").fill("600");
      await agent.locator("[name='/fields/answer']").fill(said.offer);
      await picture(agent, look, "11-proposing");
      await act("propose");
      await expect(agent.locator("#notice")).not.toBeEmpty();
      await expect(agent.locator(".task [name=_outcome][value=approved]")).toHaveCount(0);
      await picture(agent, look, "12-proposed");
    });

    await test.step("a lead approves", async () => {
      await lead.goto("/inbox?box=claimable");
      await lead.locator("a.line", { hasText: reference }).click();
      await expect(lead.locator("#task header a")).toContainText(said.subject);
      await lead.locator("#task form[action$='/claim'] button").click();
      await expect(lead.locator("#task [name=_outcome][value=approved]")).toBeVisible();
      await expect(lead.locator("#task")).toContainText("600.00");
      await picture(lead, look, "13-approval");
      await elsewhere(lead, look, "13-approval");
      await lead.locator("#task [name=_outcome][value=approved]").click();
      await expect(lead.locator("#notice")).not.toBeEmpty();
      await lead.goto(record);
      await picture(lead, look, "14-closed");
      await elsewhere(lead, look, "14-closed");
    });

    await test.step("the traveller sees the stages", async () => {
      await follow(traveller, reference);
      await expect(traveller.locator(".stages [aria-current]")).toContainText(said.answered);
      await expect(traveller.locator(".stages .done")).toHaveCount(2);
      await picture(traveller, look, "15-track-done");
    });

    await test.step("the lead sees the board move", async () => {
      const after = await board(lead);
      expect(moved(before, after)).toEqual({ ...none, volume: 1, money: 600 });
      await picture(lead, look, "16-board-after");
      await elsewhere(lead, look, "16-board-after");
    });
    for (const page of [traveller, agent, stranger, lead]) await page.context().close();
  });
}
