/// Who the tests are, and what they ask the server for.
import { expect, type Page } from "@playwright/test";

/** Logs in as one of the demonstration's users by its button. */
export async function logIn(page: Page, user: string): Promise<void> {
  await page.goto("/login");
  await page.locator(`button[name=_demo][value=${user}]`).click();
  await expect(page.locator("#main")).toBeVisible();
  await expect(page).not.toHaveURL(/\/login/);
}

/** The first records of a form that a condition holds for, through the API and as the user of the page. */
export async function records(page: Page, form: string, filter: string): Promise<{ id: string; title: string }[]> {
  const answer = await page.request.get(`/api/records/${form}`, { params: { filter, limit: "5" } });
  expect(answer.ok(), await answer.text()).toBe(true);
  return ((await answer.json()) as { items: { id: string; title: string }[] }).items;
}

type Task = { id: string; step: string; record: { id: string } };

/** The first tasks of a box, of one step where it is named. */
export async function tasks(page: Page, box: string, step?: string): Promise<Task[]> {
  const answer = await page.request.get("/api/tasks", { params: { box, limit: "200" } });
  expect(answer.ok(), await answer.text()).toBe(true);
  const { items } = (await answer.json()) as { items: Task[] };
  return items.filter((task) => !step || task.step === step);
}

type Newcomer = { name: string; roles: string[]; queues: string[]; language: string };

/** An administrator adds somebody, who logs in with the password given and chooses another. */
export async function enter(page: Page, newcomer: Newcomer): Promise<void> {
  const ask = page.request;
  expect((await ask.post("/api/session", { data: { login: "admin", password: "demo" } })).ok()).toBe(true);
  const login = `${newcomer.roles[0]}.${newcomer.queues[0]}.${Date.now()}`;
  const made = await ask.post("/api/admin/users", { data: { login, ...newcomer } });
  expect(made.status(), await made.text()).toBe(201);
  const { password: old } = (await made.json()) as { password: string };
  expect((await ask.post("/api/session", { data: { login, password: old } })).ok()).toBe(true);
  expect((await ask.put("/api/me/password", { data: { old, new: "three green parrots" } })).ok()).toBe(true);
}
