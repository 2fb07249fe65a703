// What a browser has to load stays within its budget, packed as it is sent. Run by `make test` after the build.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

const kilobytes = (...texts) => gzipSync(Buffer.concat(texts), { level: 6 }).length / 1024;
const script = (name) => readFileSync(`dist/${name}`);
const scripts = readdirSync("dist").filter((name) => name.endsWith(".js"));

/** A script and what it loads at once. */
function whole(name, seen = new Set()) {
  if (seen.has(name)) return seen;
  seen.add(name);
  for (const [, other] of script(name).toString().matchAll(/(?:^|[;}])\s*(?:import|export)[^;()]*?["']\.\/([^"']+)["']/g)) whole(other, seen);
  return seen;
}

test("the scripts of a first page", () => {
  const first = kilobytes(...[...whole("main.js")].map(script));
  assert.ok(first <= 35, `${first.toFixed(1)} KB of 35`);
});

test("each island", () => {
  const islands = scripts.filter((name) => !whole("main.js").has(name));
  assert.ok(islands.some((name) => name.startsWith("chart-")), "the chart is a chunk of its own");
  assert.ok(islands.length >= 3, `${islands}`);
  for (const name of islands) {
    const [size, most] = [kilobytes(script(name)), name.startsWith("chart-") ? 240 : 15];
    assert.ok(size <= most, `${name}: ${size.toFixed(1)} KB of ${most}`);
  }
});

test("the style sheet", () => {
  const sheets = ["tokens", "base", "components", "pages", "print"].map((name) => readFileSync(`css/${name}.css`));
  const size = kilobytes(...sheets);
  assert.ok(size <= 14, `${size.toFixed(1)} KB of 14`);
});
