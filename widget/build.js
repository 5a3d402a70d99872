/** Builds the widget: `node widget/build.js [FOLDER]` writes the files that the recommender serves. A test checks that they are current. */

import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = dirname(HERE);
const OUTPUT = process.argv[2] ?? join(ROOT, "recommender/static/recommender/widget");
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
