// Bundles src/main.ts and, as chunks loaded when their element appears, the islands. Empties dist first: what lies there is embedded.
import { rmSync } from "node:fs";
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
