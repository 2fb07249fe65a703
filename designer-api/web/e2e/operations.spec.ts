/// What went wrong is put right by pressing a button: a message that nobody took is sent again, a workflow that stands still
/// is retried or ended. A small pack of its own, whose messages go to this test.
import { createServer } from "node:http";
import { expect, test, type Browser, type Page } from "@playwright/test";
import { logIn } from "./people.ts";
import { trouble } from "./playwright.config.ts";

test.use({ baseURL: trouble, locale: "en" });

async function agent(browser: Browser): Promise<Page> {
  const page = await (await browser.newContext({ baseURL: trouble })).newPage();
  await logIn(page, "agent");
  return page;
}

async function note(page: Page, text: string): Promise<string> {
  const answer = await page.request.post("/api/records/note", { data: { text } });
  expect(answer.status(), await answer.text()).toBe(201);
  return ((await answer.json()) as { id: string }).id;
}

test("a message that nobody took is sent again", async ({ page, browser }) => {
  const keys: (string | undefined)[] = [];
  let status = 400;
  const receiver = createServer((request, response) => {
    request.resume();
    keys.push(request.headers["idempotency-key"]);
    response.writeHead(status).end();
  });
  receiver.listen(8099, "127.0.0.1");
  try {
    const ann = await agent(browser);
    await note(ann, "first");
    await logIn(page, "admin");
    const failed = page.locator("tbody tr", { hasText: "answered 400" });
    await expect(async () => {
      await page.goto("/admin/outbox?state=failed");
      await expect(failed).toHaveCount(1, { timeout: 500 });
    }).toPass();
    expect(keys).toHaveLength(1);
    status = 200;
    await failed.getByRole("button", { name: "Send again" }).click();
    await expect(page.locator("#notice")).toContainText("The message is sent again");
    await expect(failed).toHaveCount(0);
    await expect(async () => {
      await page.goto("/admin/outbox?state=sent");
      await expect(page.locator("tbody tr", { hasText: "told" })).toHaveCount(1, { timeout: 500 });
    }).toPass();
    // The same message: the receiver knows it by its key.
    expect(keys).toHaveLength(2);
    expect(keys[0]).toBeTruthy();
    expect(keys[1]).toBe(keys[0]);
    await ann.context().close();
  } finally {
    receiver.close();
  }
});

test("a workflow that stands still is retried or ended", async ({ page, browser }) => {
  const ann = await agent(browser);
  await logIn(page, "admin");
  await page.goto("/admin/incidents");
  const stopped = page.locator(".incident");
  const before = await stopped.count();
  const mended = await note(ann, "mended");
  const ended = await note(ann, "ended");
  const of = (id: string) => stopped.filter({ hasText: id });
  await page.reload();
  await expect(stopped).toHaveCount(before + 2);

  const press = async (id: string, button: string) => {
    await of(id).getByLabel("Reason, for the history").fill("somebody is there now");
    await of(id).getByRole("button", { name: button }).click();
  };
  // Without a reason nothing is sent.
  await of(mended).getByRole("button", { name: "Retry" }).click();
  await expect(of(mended).getByLabel("Reason, for the history")).toBeFocused();
  await expect(page.locator("#notice")).toBeEmpty();
  // Nobody is there yet: it stands still again.
  await press(mended, "Retry");
  await expect(page.locator("#notice")).toContainText("The workflow is retried");
  await expect(of(mended)).toHaveCount(1);

  const me = ((await (await ann.request.get("/api/session")).json()) as { user: { id: string } }).user.id;
  expect((await ann.request.patch(`/api/records/note/${mended}`, { data: { who: me } })).ok()).toBe(true);
  await press(mended, "Retry");
  await expect(of(mended)).toHaveCount(0);
  await press(ended, "End the workflow");
  await expect(page.locator("#notice")).toContainText("The workflow was ended");
  await expect(of(ended)).toHaveCount(0);

  await ann.goto("/inbox");
  await expect(ann.locator("a.line")).toHaveCount(1);
  await ann.goto(`/records/note/${ended}`);
  await expect(ann.locator("#activity")).toContainText("cancelled the process");
  await ann.context().close();
});
