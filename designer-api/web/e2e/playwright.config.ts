/// Browser tests. The server is started for them, with fresh demo data; `FORMWORK_URL` takes a running one instead.
/// Chromium is the distribution's.
import { defineConfig, devices } from "@playwright/test";

declare const process: { env: Record<string, string | undefined> };

const root = new URL("../../../", import.meta.url).pathname;
const own = "http://127.0.0.1:8097";
/** A second server with a small pack of its own, in which things go wrong. */
export const trouble = "http://127.0.0.1:8098";
/** Pictures for people to look at; they are not compared. */
export const screenshots = `${root}target/screenshots/`;

const desktop = { viewport: { width: 1280, height: 800 } };
/** What is drawn differently by colour or width; stories run once. */
const looks = /(pages|charts)\.spec\.ts/;

export default defineConfig({
  testDir: ".",
  outputDir: `${root}target/playwright/`,
  fullyParallel: false,
  workers: 1,
  forbidOnly: true,
  reporter: [["list"], ["./reasons.ts"]],
  timeout: 60_000,
  expect: { timeout: 10_000 },
  use: {
    ...devices["Desktop Chrome"],
    baseURL: process.env["FORMWORK_URL"] ?? own,
    locale: "zh-CN",
    timezoneId: "Asia/Shanghai",
    // Colours half-way from one to the other are no colours of the page.
    contextOptions: { reducedMotion: "reduce" },
    trace: "retain-on-failure",
    launchOptions: {
      executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
      args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
    },
  },
  ...(!process.env["FORMWORK_URL"] && {
    webServer: [
      {
        command: "rm -rf target/e2e-data && target/debug/formwork serve definitions/crm --demo --data target/e2e-data --listen 127.0.0.1:8097",
        cwd: root,
        url: `${own}/readyz`,
        timeout: 120_000,
        gracefulShutdown: { signal: "SIGTERM", timeout: 5_000 },
      },
      {
        command: `rm -rf ${root}target/e2e-trouble && ${root}target/debug/formwork serve notes --demo --data ${root}target/e2e-trouble --listen 127.0.0.1:8098`,
        cwd: `${root}designer-api/web/e2e/trouble`,
        url: `${trouble}/readyz`,
        timeout: 120_000,
        gracefulShutdown: { signal: "SIGTERM", timeout: 5_000 },
      },
    ],
  }),
  projects: [
    { name: "desktop", use: desktop },
    { name: "dark", use: { ...desktop, colorScheme: "dark" }, testMatch: looks },
    { name: "phone", use: { viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true }, testMatch: looks },
  ],
});
