#!/usr/bin/env bash
# Packages: csvkit 2.2.0, with agate 1.14.2 (tools for CSV files, and the tables below them).
#
# Behaviour: commands that only sort or join a file write other values into columns that are not sorted: metres become minutes, watts weeks,
# a decimal comma goes, currencies go, and months and fractions are dates of the year 1 or 2001. `csvcut`, `csvgrep` and `csvstack` leave
# all as it was.
#
# Seen: a file before and after `csvsort -c name`.
#
#     column     before            after
#     length     3 m, 5 m          0:03:00, 0:05:00
#     power      30 w, 60 w        210 days, 0:00:00 and 420 days, 0:00:00
#     price      12,50 and 9,99    1250 and 999
#     sale       $12.50, €8.00     12.50, 8.00
#     season     May, March        0001-05-01, 0001-03-01
#     size       1/2, 3/4          2001-01-02, 2001-03-04
#     weight     500 g, 1.5 kg     500 g, 1.5 kg
#
# `csvjoin -c name` does the same in both files, `csvjson` too, `csvlook` shows 1,250 for 12,50, and `agate.Table.from_csv` has a price of
# 1250. With 12,50 beside 1.299,00 they are 1250 and 1.29900.
#
# Why guesses are wrong: one expects of sorting that rows change their places and nothing else. The documentation says that types are
# guessed for the sake of the order, and `--no-inference` (`-I`) turns it off; nothing says that what was guessed is written, and by whom
# "m" would be taken for minutes. Exit status 0, no line on the standard error, as many rows and columns as before. One value in the column
# that is none of these, such as "2.5 kg" among the lengths or "n. v." among the prices, and the column stays, so that the larger a file is,
# the less is it touched.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check csvkit==2.2.0 agate==1.14.2
cd "$work"
cat > products.csv <<'CSV'
name,length,power,price,sale,season,size,weight
adapter,3 m,30 w,"12,50",$12.50,May,1/2,500 g
cable,5 m,60 w,"9,99",€8.00,March,3/4,1.5 kg
CSV
printf 'name,price\nmug,"12,50"\nset,"1.299,00"\n' > prices.csv
printf 'name,stock\nadapter,3\ncable,4\n' > stock.csv
export PYTHONUTF8=1
for command in csvcut csvstack; do
  "venv/bin/$command" products.csv | diff - products.csv
done
seen='adapter,0:03:00,"210 days, 0:00:00",1250,12.50,0001-05-01,2001-01-02,500 g
cable,0:05:00,"420 days, 0:00:00",999,8.00,0001-03-01,2001-03-04,1.5 kg'
sorted="$(venv/bin/csvsort -c name products.csv | tail -n 2)"
joined="$(venv/bin/csvjoin -c name products.csv stock.csv | tail -n 2)"
prices="$(venv/bin/csvsort -c name prices.csv | tail -n 2)"
as_json="$(venv/bin/csvjson products.csv)"
printf '%s\n' "$sorted" "$joined" "$prices" "$as_json"
if [[ "$sorted" != "$seen" || "$joined" != "${seen/500 g/500 g,3},4" || "$prices" != $'mug,1250\nset,1.29900' ]] ||
  [[ "$as_json" != *'"length": "0:03:00"'*'"price": 1250.0'* ]]; then
  echo "it behaves in another way now" >&2
  exit 1
fi
venv/bin/python - <<'PYTHON'
import sys

import agate

found = [float(row["price"]) for row in agate.Table.from_csv("products.csv").rows]
print(found)
sys.exit(0 if found == [1250, 999] else "it behaves in another way now")
PYTHON
