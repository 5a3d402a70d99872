"""Catalogues that 1C and others write as CommerceML: products in one file, prices and stock in others."""

from __future__ import annotations

import zipfile
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError

from product_files.mapping import FieldMapping
from product_files.sources import detect_format, open_catalogue, validate_upload
from tests.catalog.importing import counts, problems, run
from tests.catalog.shop_exports import categories, families, product
from tests.factories import jpeg

pytestmark = pytest.mark.django_db

CATALOGUE = """<?xml version="1.0" encoding="{encoding}"?>
<КоммерческаяИнформация ВерсияСхемы="2.05" ДатаФормирования="2026-10-01T12:00:00">
  <Классификатор>
    <Ид>k</Ид><Наименование>Классификатор</Наименование>
    <Группы>
      <Группа><Ид>g1</Ид><Наименование>Посуда</Наименование>
        <Группы>
          <Группа><Ид>g2</Ид><Наименование>Кувшины</Наименование></Группа>
          <Группа><Ид>g3</Ид><Наименование>Чашки</Наименование></Группа>
        </Группы>
      </Группа>
      <Группа><Ид>g4</Ид><Наименование>Новинки</Наименование></Группа>
    </Группы>
    <Свойства>
      <Свойство><Ид>p1</Ид><Наименование>Материал</Наименование>
        <ВариантыЗначений>
          <Справочник><ИдЗначения>v1</ИдЗначения><Значение>Глина</Значение></Справочник>
        </ВариантыЗначений>
      </Свойство>
      <Свойство><Ид>p2</Ид><Наименование>Объём, л</Наименование></Свойство>
      <Свойство><Ид>p3</Ид><Наименование>Производитель</Наименование></Свойство>
    </Свойства>
  </Классификатор>
  <Каталог СодержитТолькоИзменения="{changes}">
    <Ид>k</Ид>
    <Товары>
      <Товар>
        <Ид>t1</Ид><Артикул>К-1</Артикул><Штрихкод>4600000000017</Штрихкод><Наименование>Кувшин</Наименование>
        <Группы><Ид>g4</Ид><Ид>g2</Ид></Группы>
        <Описание>&lt;p&gt;Для воды&lt;/p&gt;</Описание>
        <Картинка>import_files/aa/red.jpg</Картинка><Картинка>import_files/aa/blue.jpg</Картинка>
        <ЗначенияСвойств>
          <ЗначенияСвойства><Ид>p1</Ид><Значение>v1</Значение></ЗначенияСвойства>
          <ЗначенияСвойства><Ид>p2</Ид><Значение/></ЗначенияСвойства>
          <ЗначенияСвойства><Ид>p3</Ид><Значение>Гончар</Значение></ЗначенияСвойства>
        </ЗначенияСвойств>
      </Товар>
      <Товар>
        <Ид>t2</Ид><Артикул>Ч-1</Артикул><Наименование>Чашка</Наименование><Группы><Ид>g3</Ид></Группы>
        <Изготовитель><Ид>i</Ид><Наименование>Чаевник</Наименование></Изготовитель>
      </Товар>
      <Товар Статус="Удален"><Ид>t3</Ид><Наименование>Блюдце</Наименование></Товар>
    </Товары>
  </Каталог>
</КоммерческаяИнформация>"""

OFFERS = """<?xml version="1.0" encoding="UTF-8"?>
<КоммерческаяИнформация ВерсияСхемы="2.05" ДатаФормирования="2026-10-01T12:00:00">
  <ПакетПредложений>
    <Ид>k#</Ид>
    <ТипыЦен>
      <ТипЦены><Ид>c1</Ид><Наименование>Закупочная</Наименование><Валюта>RUB</Валюта></ТипЦены>
      <ТипЦены><Ид>c2</Ид><Наименование>Розничная</Наименование><Валюта>RUB</Валюта></ТипЦены>
    </ТипыЦен>
    <Предложения>
      <Предложение><Ид>t1</Ид><Артикул>К-1</Артикул><Наименование>Кувшин</Наименование>{jug}</Предложение>
      {cups}
      <Предложение><Ид>gone</Ид><Наименование>Поднос</Наименование></Предложение>
    </Предложения>
  </ПакетПредложений>
</КоммерческаяИнформация>"""
CUP = """<Предложение><Ид>t2#{key}</Ид><Наименование>Чашка ({colour})</Наименование>
  <ХарактеристикиТовара>
    <ХарактеристикаТовара><Наименование>Цвет</Наименование><Значение>{colour}</Значение></ХарактеристикаТовара>
  </ХарактеристикиТовара>{rest}</Предложение>"""


def prices(retail: str, *, stock: str = "", cost: str = "1.00", currency: str = "RUB") -> str:
    """Prices of both types, and a stock."""
    listed = "".join(
        f"<Цена><Представление>{amount} руб за шт</Представление><ИдТипаЦены>{kind}</ИдТипаЦены>"
        f"<ЦенаЗаЕдиницу>{amount}</ЦенаЗаЕдиницу><Валюта>{currency}</Валюта><Единица>шт</Единица></Цена>"
        for kind, amount in (("c1", cost), ("c2", retail))
    )
    return f"<Цены>{listed}</Цены>" + (f"<Количество>{stock}</Количество>" if stock else "")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "import_files" / "aa").mkdir(parents=True)
    for colour in ("red", "blue"):
        (tmp_path / "import_files" / "aa" / f"{colour}.jpg").write_bytes(jpeg(colour))
    return tmp_path


def write_catalogue(folder: Path, *, encoding: str = "utf-8", changes: str = "false") -> Path:
    path = folder / "import0_1.xml"
    path.write_bytes(CATALOGUE.format(encoding=encoding, changes=changes).encode(encoding))
    return path


def write_offers(folder: Path, *, jug: str = "") -> Path:
    path = folder / "offers0_1.xml"
    cups = CUP.format(key="a", colour="белый", rest=prices("250.00", stock="3")) + CUP.format(
        key="b", colour="синий", rest=prices("200", stock="0")
    )
    path.write_text(OFFERS.format(jug=jug or prices("1290.500", stock="7"), cups=cups), encoding="utf-8-sig")
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "windows-1251"])
def test_products_have_categories_properties_and_photos_and_the_retail_price(folder: Path, encoding: str) -> None:
    write_offers(folder)
    path = write_catalogue(folder, encoding=encoding)
    assert detect_format(path) == "commerceml"
    report = run(path)
    assert (counts(report), problems(report)) == ((5, 0, 0, 0), [])
    jug = product("К-1")
    assert (jug.title, jug.brand, jug.description) == ("Кувшин", "Гончар", "Для воды")
    assert (jug.price, jug.currency, jug.available, jug.images.count()) == (Decimal("1290.50"), "RUB", True, 2)
    assert jug.attributes == {"материал": "Глина", "gtin": "4600000000017"}
    assert report["new_categories"] == ["Посуда > Кувшины", "Новинки", "Посуда > Чашки"]
    assert len(categories("К-1")) == 2
    assert "prices and stock are from offers0_1.xml" in report["notes"]
    assert "the prices are those of the type Розничная; there are others: Закупочная" in report["notes"]
    assert "1 products of the offers are not in the catalogue: they were left out" in report["notes"]


def test_offers_of_a_product_with_characteristics_are_its_variants(folder: Path) -> None:
    write_offers(folder)
    run(write_catalogue(folder))
    assert families() == {"К-1": {"К-1"}, "Ч-1": {"Ч-1", "Ч-1-белый", "Ч-1-синий"}, "t3": {"t3"}}
    white, blue, cup = (product(sku) for sku in ("Ч-1-белый", "Ч-1-синий", "Ч-1"))
    assert [(each.price, each.available) for each in (white, blue, cup)] == [(250, True), (200, False), (200, True)]
    assert (blue.title, blue.brand, blue.attributes) == ("Чашка", "Чаевник", {"цвет": "синий"})
    assert product("t3").active is False


def test_without_offers_the_prices_stay_as_they_are(folder: Path) -> None:
    offers = write_offers(folder)
    path = write_catalogue(folder)
    run(path)
    offers.unlink()
    report = run(path)
    assert (counts(report), product("К-1").price) == ((0, 0, 3, 0), Decimal("1290.50"))
    assert any("no file of offers" in note for note in report["notes"])


def test_prices_and_stock_in_files_of_their_own(folder: Path) -> None:
    path = write_catalogue(folder)
    offers = OFFERS.format(jug="", cups="")
    types = "<ТипыЦен>" + offers.partition("<ТипыЦен>")[2].partition("</ТипыЦен>")[0] + "</ТипыЦен>"
    bare = offers.replace(types, "")
    (folder / "offers.xml").write_text(bare, encoding="utf-8")
    (folder / "prices.xml").write_text(OFFERS.format(jug=prices("99.00", currency="грн"), cups=""), encoding="utf-8")
    rest = "<Остатки><Остаток><Склад><Ид>s1</Ид><Количество>0</Количество></Склад></Остаток></Остатки>"
    (folder / "rests.xml").write_text(bare.replace("<Наименование>Кувшин</Наименование>", rest), encoding="utf-8")
    report = run(path)
    assert (product("К-1").price, product("К-1").currency, product("К-1").available) == (Decimal(99), "UAH", False)
    assert "prices and stock are from offers.xml, prices.xml, rests.xml" in report["notes"]


def test_both_files_in_a_zip(folder: Path, tmp_path: Path) -> None:
    names = [write_catalogue(folder), write_offers(folder), *sorted((folder / "import_files" / "aa").iterdir())]
    upload = tmp_path / "1c.zip"
    with zipfile.ZipFile(upload, "w") as archive:
        for path in names:
            archive.write(path, str(path.relative_to(folder)))
    validate_upload(upload, FieldMapping())
    with open_catalogue(upload, FieldMapping(), is_upload=True, sample=True) as catalogue:
        assert next(iter(catalogue)).product.price == Decimal("1290.50")
    assert counts(run(upload)) == (5, 0, 0, 0)
    assert product("К-1").images.count() == 2


def test_an_upload_alone_does_not_read_what_others_have_uploaded(folder: Path) -> None:
    write_offers(folder)
    with open_catalogue(write_catalogue(folder), FieldMapping(), is_upload=True) as catalogue:
        assert [row.product.price for row in catalogue if row.product] == [None, None, None]


def test_a_file_of_offers_alone_is_explained(folder: Path) -> None:
    with pytest.raises(CommandError, match="without their products: import the file of the catalogue"):
        run(write_offers(folder))


def test_what_is_missing_from_a_file_of_changes_is_not_withdrawn(folder: Path) -> None:
    path = write_catalogue(folder)
    run(path, "--source", "1c")
    text = CATALOGUE.format(encoding="utf-8", changes="true")
    start, end = text.index("      <Товар>\n        <Ид>t2"), text.index("      <Товар Статус")
    path.write_text(text[:start] + text[end:], encoding="utf-8")
    report = run(path, "--source", "1c", "--deactivate-missing")
    assert (report["withdrawn"], report["not_withdrawn"]) == (0, "the source has only what changed")
    path.write_text((text[:start] + text[end:]).replace('"true"', '"false"'), encoding="utf-8")
    assert run(path, "--source", "1c", "--deactivate-missing")["withdrawn"] == 1
    assert product("Ч-1").active is False


def test_a_truncated_catalogue_gives_the_products_before_its_end(folder: Path) -> None:
    path = write_catalogue(folder)
    path.write_bytes(path.read_bytes()[: path.read_bytes().index("Чаевник".encode())])
    report = run(path)
    assert (report["created"], report["broken_off"]) == (1, True)
