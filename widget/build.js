/**
 * Builds the widget: `node widget/build.js` writes the files that the recommender serves, `node widget/build.js --package` the npm
 * package in build/npm. Another folder may follow. A test checks that the served files are those of the sources.
 */

import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = dirname(HERE);
const isPackage = process.argv.includes("--package");
const folder = process.argv.slice(2).find((each) => each !== "--package");
const OUTPUT = folder ?? join(ROOT, isPackage ? "build/npm" : "recommender/static/recommender/widget");
const VERSION = readFileSync(join(ROOT, "pyproject.toml"), "utf8").match(/^version = "(.+)"$/m)[1];

/** One file with all that it imports, except what is loaded on its own. */
function bundle(name, external) {
  return build({
    entryPoints: [join(HERE, "src", name)],
    outfile: join(OUTPUT, name),
    bundle: true,
    format: "esm",
    minify: true,
    target: ["chrome111", "firefox115", "safari16.4"],
    banner: { js: `/*! Lookalike ${VERSION}, Apache-2.0 */` },
    external,
    legalComments: "none",
    logLevel: "warning",
  });
}

mkdirSync(OUTPUT, { recursive: true });
await bundle("similar.js", ["./photo.js", "./photo-search.js"]);
await bundle("photo-search.js", ["./similar.js", "./photo.js"]);
await bundle("client.js", ["./photo.js"]);
await bundle("photo.js", []);
copyFileSync(join(HERE, "src/texts.json"), join(OUTPUT, "texts.json"));
copyFileSync(join(HERE, "src/similar.css"), join(OUTPUT, "similar.css"));
if (isPackage) {
  for (const name of ["elements.js", "react.js", "vue.js"]) await bundle(name, ["react", "vue", "./client.js", "./similar.js", "./photo-search.js"]);
  for (const name of ["similar.d.ts", "elements.d.ts", "react.d.ts", "vue.d.ts", "README.md"]) copyFileSync(join(HERE, name), join(OUTPUT, name));
  copyFileSync(join(ROOT, "LICENSE"), join(OUTPUT, "LICENSE"));
  const about = JSON.parse(readFileSync(join(HERE, "package.json"), "utf8"));
  writeFileSync(join(OUTPUT, "package.json"), `${JSON.stringify({ ...about, version: VERSION }, null, 2)}\n`);
}
