"""The last line of a table where it is no product, but has the totals of those above."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal

from product_files.columns.header_names import key_of, keys_of
from product_files.rows import RowRejected
from product_files.tables.csv_file import TableRow
from product_files.values.prices import parse_price

_TOTALS = keys_of(
    (
        "total, totals, grand total, sum, subtotal, summe, gesamt, gesamtsumme, zwischensumme, insgesamt, total général",
        "somme, total general, suma, suma total, totale, totale complessivo, totaal, eindtotaal, razem, ogółem, suma razem",
        "soma, итого, всего, сумма, разом, всього, усього, celkem, součet, totalt, summa, i alt, yhteensä, összesen, toplam",
        "genel toplam, σύνολο, 合計, 総計, 小計, 总计, 合计, 總計, 합계, 총계, jumlah, ukupno, spolu, skupaj",
    )
).keys()
_NUMBER = re.compile(r"[^\w\s]*\s*[\d.,'\s]*\d[\d.,'\s]*(?:\s*[^\W\d_]{1,3}\.?|\s*[^\w\s]+)?")
# Fewer may have a product's values as their sums by chance.
_MIN_ROWS = 2


def may_be_totals(row: TableRow) -> bool:
    """Whether a line has a word for totals, and numbers beside it at most.

    Args:
        row: the last one of a table.

    Returns:
        False for a line with another word in it.
    """
    texts = [text for cells in row.cells[:1] for cell in cells if (text := cell.strip())]
    words = [text for text in texts if not _NUMBER.fullmatch(text)]
    return len(words) == 1 and key_of(words[0]) in _TOTALS


def are_sums(last: Mapping[str, str], rows: Iterable[Mapping[str, str]]) -> bool:
    """Whether each number of a line is the sum of its column, or the number of rows.

    Args:
        last: the line.
        rows: those above it.

    Returns:
        False where there are too few rows to say so.
    """
    wanted = {name: text for name, text in last.items() if text.strip() and key_of(text) not in _TOTALS}
    sums = dict.fromkeys(wanted, Decimal(0))
    number = 0
    for row in rows:
        number += 1
        for name in sums:
            sums[name] += _amount(row.get(name, "")) or 0
    return number >= _MIN_ROWS and all(_amount(text) in (sums[name], number) for name, text in wanted.items())


def _amount(text: str) -> Decimal | None:
    try:
        price = parse_price(text, others=".")
    except RowRejected:
        return None
    return None if price is None else price.amount
