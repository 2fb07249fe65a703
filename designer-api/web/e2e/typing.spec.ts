/// Input methods: half-typed pinyin reaches neither filters nor rules, and Enter in a composition sends nothing.
import { expect, test, type CDPSession, type Page } from "@playwright/test";
import { logIn } from "./people.ts";

/** Types like an input method: letters first, then the words chosen for them. */
async function compose(cdp: CDPSession, letters: string[]): Promise<void> {
  for (const text of letters) {
    await cdp.send("Input.imeSetComposition", { text, selectionStart: text.length, selectionEnd: text.length });
  }
}

function requests(page: Page, part: string): string[] {
  const seen: string[] = [];
  page.on("request", (request) => {
    if (request.url().includes(part)) seen.push(decodeURIComponent(request.url()));
  });
  return seen;
}

test("a search waits for the word", async ({ page }) => {
  await logIn(page, "team_lead");
  await page.clock.install();
  await page.goto("/records/ticket?view=all");
  const cdp = await page.context().newCDPSession(page);
  const searches = requests(page, "q=");
  await page.locator("#q").focus();
  await compose(cdp, ["x", "xi", "xing"]);
  await page.clock.runFor(2_000);
  expect(searches).toEqual([]);
  await cdp.send("Input.insertText", { text: "行李" });
  await page.clock.runFor(2_000);
  await expect(page).toHaveURL(/q=/);
  await expect(page.locator("tbody tr").first()).toContainText("行李");
  expect(searches.length).toBe(1);
  expect(searches[0]).toContain("q=行李");
});

test("rules wait for the word", async ({ page }) => {
  await logIn(page, "team_lead");
  await page.clock.install();
  await page.goto("/records/ticket/new");
  const cdp = await page.context().newCDPSession(page);
  const asked = requests(page, "/evaluate");
  await page.locator("[name='/subject']").focus();
  await compose(cdp, ["t", "to", "tou"]);
  await page.clock.runFor(1_000);
  expect(asked).toEqual([]);
  const answer = page.waitForResponse(/\/evaluate/);
  await cdp.send("Input.insertText", { text: "投诉" });
  await page.clock.runFor(1_000);
  expect((await answer).ok()).toBe(true);
  expect(asked.length).toBe(1);
});

test("Enter in a composition does not send the form", async ({ page }) => {
  await logIn(page, "team_lead");
  await page.goto("/records/ticket/new");
  const cdp = await page.context().newCDPSession(page);
  await page.locator("[name='/subject']").focus();
  await compose(cdp, ["t", "tou"]);
  await page.keyboard.press("Enter");
  await cdp.send("Input.insertText", { text: "投诉" });
  await expect(page).toHaveURL(/\/records\/ticket\/new$/);
  await expect(page.locator("#summary")).toHaveCount(0);
});
