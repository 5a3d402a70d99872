"""Workbooks that the tests write, as spreadsheet programs do."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
# Formats of the styles 1 to 4: a date, five digits, euros, and a date of one's own.
DATE, DIGITS, EUROS, OWN_DATE = 1, 2, 3, 4
_STYLES = f"""<styleSheet xmlns="{_MAIN}"><numFmts count="3"><numFmt numFmtId="164" formatCode="00000"/>
<numFmt numFmtId="165" formatCode='#,##0.00\\ [$€-407]'/><numFmt numFmtId="166" formatCode="dd/mm/yyyy hh:mm"/></numFmts>
<fonts count="1"><font/></fonts><fills count="1"><fill><patternFill patternType="none"/></fill></fills>
<borders count="1"><border/></borders>
<cellStyleXfs count="1"><xf numFmtId="0"/></cellStyleXfs>
<cellXfs count="5"><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="166"/></cellXfs>
<cellStyles count="1"><cellStyle name="Normal" xfId="0"/></cellStyles></styleSheet>"""

_CONTENT_TYPES = """<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>
<Override PartName="/xl/sharedStrings.xml"
ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/></Types>"""

# A text, a number with its style, or the XML of a cell without its place.
Cell = str | tuple[float | str, int]


def workbook(
    path: Path,
    sheets: Mapping[str, Sequence[Sequence[Cell]]],
    *,
    hidden: Sequence[str] = (),
    inline: bool = False,
    last_row: int = 0,
) -> Path:
    """Write a workbook.

    Args:
        path: the file.
        sheets: rows by the name of their sheet; rows without cells are left out of the XML, as programs do.
        hidden: names of sheets that are not shown.
        inline: texts stand in their cells, and not in a list of their own.
        last_row: number that the last row of a sheet says it has; 0 for its own.

    Returns:
        The path.
    """
    strings: list[str] = []

    def cell(place: str, content: Cell) -> str:
        if isinstance(content, tuple):
            number, style = content
            return f'<c r="{place}" s="{style}"><v>{number}</v></c>'
        if content.startswith("<c "):
            return content.replace("<c ", f'<c r="{place}" ', 1)
        if inline:
            return f'<c r="{place}" t="inlineStr"><is><t>{escape(content)}</t></is></c>'
        strings.append(content)
        return f'<c r="{place}" t="s"><v>{len(strings) - 1}</v></c>'

    def sheet(rows: Sequence[Sequence[Cell]]) -> str:
        lines = []
        for number, row in enumerate(rows, start=1):
            cells = "".join(
                cell(f"{chr(ord('A') + column)}{number}", content) for column, content in enumerate(row) if content
            )
            if cells:
                said = last_row if last_row and number == len(rows) else number
                lines.append(f'<row r="{said}">{cells}</row>')
        return f'<worksheet xmlns="{_MAIN}"><sheetData>{"".join(lines)}</sheetData></worksheet>'

    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", _CONTENT_TYPES)
        names, states = list(sheets), ("visible", "hidden")
        for number, name in enumerate(names, start=1):
            archive.writestr(f"xl/worksheets/sheet{number}.xml", sheet(sheets[name]))
        listed = "".join(
            f'<sheet name="{escape(name)}" sheetId="{number}" r:id="rId{number}" state="{states[name in hidden]}"/>'
            for number, name in enumerate(names, start=1)
        )
        archive.writestr(
            "xl/workbook.xml", f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATIONS}"><sheets>{listed}</sheets></workbook>'
        )
        targets = "".join(
            f'<Relationship Id="rId{number}" Type="{_RELATIONS}/worksheet" Target="worksheets/sheet{number}.xml"/>'
            for number in range(1, len(names) + 1)
        )
        archive.writestr("xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{_PACKAGE}">{targets}</Relationships>')
        items = "".join(f"<si><t>{escape(text)}</t></si>" for text in strings)
        archive.writestr("xl/sharedStrings.xml", f'<sst xmlns="{_MAIN}">{items}</sst>')
        archive.writestr("xl/styles.xml", _STYLES)
    return path
