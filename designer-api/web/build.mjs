// Bundles src/main.ts and, as chunks loaded when their element appears, the islands. Empties dist first: what lies there is embedded.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

rmSync("dist", { recursive: true, force: true });
await build({
  entryPoints: ["src/main.ts"],
  outdir: "dist",
  bundle: true,
  splitting: true,
  format: "esm",
  target: "es2022",
  minify: true,
  sourcemap: true,
  chunkNames: "[name]-[hash]",
  logLevel: "info",
});

// What is bundled travels with its notices: they stand beside the scripts, in the binary and at /assets/licenses.txt.
const notices = ["echarts/NOTICE", "echarts/LICENSE", "zrender/LICENSE", "tslib/LICENSE.txt", "htmx.org/LICENSE"];
writeFileSync("dist/licenses.txt", notices.map((path) => `== ${path}\n\n${readFileSync(`node_modules/${path}`, "utf8").trim()}\n`).join("\n"));
