/// Browser tests against a running server: `FORMWORK_URL=http://127.0.0.1:8080 npm run e2e`. Chromium is the distribution's.
import { defineConfig, devices } from "@playwright/test";

declare const process: { env: Record<string, string | undefined> };

const target = new URL("../../../target/", import.meta.url).pathname;
/** Pictures for people to look at; they are not compared. */
export const screenshots = `${target}screenshots/`;

const desktop = { viewport: { width: 1280, height: 800 } };

export default defineConfig({
  testDir: ".",
  outputDir: `${target}playwright/`,
  fullyParallel: false,
  workers: 1,
  reporter: "list",
  use: {
    ...devices["Desktop Chrome"],
    baseURL: process.env["FORMWORK_URL"] ?? "http://127.0.0.1:8080",
    locale: "zh-CN",
    timezoneId: "Asia/Shanghai",
    launchOptions: {
      executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
      args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
    },
  },
  projects: [
    { name: "desktop", use: desktop },
    { name: "dark", use: { ...desktop, colorScheme: "dark" } },
    { name: "phone", use: { viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true } },
  ],
});
