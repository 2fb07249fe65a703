/// Says at the very end of a run, in a few lines each, why tests failed: where a log is cut off, its end is what is left.
import type { Reporter, TestCase, TestResult } from "@playwright/test/reporter";

const linesMax = 12;
const colours = /\u001b\[[0-9;]*m/g;

export default class Reasons implements Reporter {
  private readonly failed: string[] = [];

  onTestEnd(test: TestCase, { error }: TestResult): void {
    if (!error) return;
    const why = (error.message ?? "").replace(colours, "").split("\n").filter((line) => line.trim());
    this.failed.push([test.titlePath().filter(Boolean).join(" › "), ...why.slice(0, linesMax).map((line) => `    ${line}`)].join("\n"));
  }

  onEnd(): void {
    for (const one of this.failed) console.log(one);
  }
}
