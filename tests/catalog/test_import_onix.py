"""Books in ONIX 3."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError

from product_files.mapping import FieldMapping
from product_files.rows import Row
from product_files.sources import detect_format, open_catalogue
from tests.catalog.importing import counts, of, photos, problems, run
from tests.catalog.shop_exports import categories, product

BOOKS = """<?xml version="1.0" encoding="UTF-8"?>
<ONIXMessage release="3.0" xmlns="http://ns.editeur.org/onix/3.0/reference">
 <Header><Sender><SenderName>Acme</SenderName></Sender><DefaultCurrencyCode>EUR</DefaultCurrencyCode></Header>
 <Product>
  <RecordReference>acme-1</RecordReference><NotificationType>03</NotificationType>
  <ProductIdentifier><ProductIDType>01</ProductIDType><IDValue>A1</IDValue></ProductIdentifier>
  <ProductIdentifier><ProductIDType>15</ProductIDType><IDValue>9783161484100</IDValue></ProductIdentifier>
  <DescriptiveDetail>
   <TitleDetail><TitleType>01</TitleType>
    <TitleElement><TitleElementLevel>02</TitleElementLevel><TitleText>Night Library</TitleText></TitleElement>
    <TitleElement><TitleElementLevel>01</TitleElementLevel><TitleText>The Lamp</TitleText>
     <Subtitle>A Novel</Subtitle></TitleElement>
   </TitleDetail>
   <TitleDetail><TitleType>03</TitleType><TitleElement><TitleText>Die Lampe</TitleText></TitleElement></TitleDetail>
   <Contributor><ContributorRole>A01</ContributorRole><PersonName>Ann Reed</PersonName></Contributor>
   <Contributor><ContributorRole>B06</ContributorRole><PersonName>Bo Lund</PersonName></Contributor>
   <Language><LanguageRole>01</LanguageRole><LanguageCode>eng</LanguageCode></Language>
   <Subject><SubjectSchemeIdentifier>93</SubjectSchemeIdentifier><SubjectCode>FB</SubjectCode></Subject>
   <Subject><SubjectSchemeIdentifier>20</SubjectSchemeIdentifier><SubjectHeadingText>night; light</SubjectHeadingText></Subject>
   <Subject><SubjectSchemeIdentifier>10</SubjectSchemeIdentifier><SubjectHeadingText>TRAVEL</SubjectHeadingText></Subject>
   <Subject><MainSubject/><SubjectSchemeIdentifier>10</SubjectSchemeIdentifier>
    <SubjectHeadingText>FICTION / Mystery</SubjectHeadingText></Subject>
  </DescriptiveDetail>
  <CollateralDetail>
   <TextContent><TextType>02</TextType><Text>Short.</Text></TextContent>
   <TextContent><TextType>03</TextType><Text textformat="05"><p>A lamp goes out.</p></Text></TextContent>
   <SupportingResource><ResourceContentType>02</ResourceContentType><ResourceMode>03</ResourceMode>
    <ResourceVersion><ResourceLink>https://example.com/back.jpg</ResourceLink></ResourceVersion></SupportingResource>
   <SupportingResource><ResourceContentType>01</ResourceContentType><ResourceMode>03</ResourceMode>
    <ResourceVersion><ResourceLink>https://example.com/front.jpg</ResourceLink></ResourceVersion>
    <ResourceVersion><ResourceLink>https://example.com/front-small.jpg</ResourceLink></ResourceVersion></SupportingResource>
   <SupportingResource><ResourceContentType>15</ResourceContentType><ResourceMode>04</ResourceMode>
    <ResourceVersion><ResourceLink>https://example.com/extract.pdf</ResourceLink></ResourceVersion></SupportingResource>
  </CollateralDetail>
  <PublishingDetail><Imprint><ImprintName>Acme Noir</ImprintName></Imprint></PublishingDetail>
  <ProductSupply><SupplyDetail><ProductAvailability>21</ProductAvailability>
   <Price><PriceType>05</PriceType><PriceAmount>6.00</PriceAmount></Price>
   <Price><PriceType>02</PriceType><PriceAmount>11.00</PriceAmount><CurrencyCode>GBP</CurrencyCode></Price>
   <Price><PriceType>01</PriceType><PriceAmount>12.00</PriceAmount></Price>
   <Price><PriceType>04</PriceType><PriceAmount>12.90</PriceAmount></Price>
   <Price><PriceType>04</PriceType><PriceQualifier>10</PriceQualifier><PriceAmount>9.90</PriceAmount></Price>
  </SupplyDetail></ProductSupply>
 </Product>
 <Product>
  <RecordReference>acme-2</RecordReference><NotificationType>05</NotificationType>
  <DescriptiveDetail><TitleDetail><TitleType>01</TitleType><TitleElement><TitleElementLevel>01</TitleElementLevel>
   <TitlePrefix>The</TitlePrefix><TitleWithoutPrefix>Moth</TitleWithoutPrefix></TitleElement></TitleDetail></DescriptiveDetail>
  <ProductSupply><SupplyDetail><ProductAvailability>40</ProductAvailability>
   <Price><PriceType>01</PriceType><PriceAmount>8.00</PriceAmount><CurrencyCode>USD</CurrencyCode></Price></SupplyDetail></ProductSupply>
 </Product>
</ONIXMessage>
"""


def books(folder: Path, text: str = BOOKS) -> Path:
    path = folder / "books.xml"
    path.write_text(text, encoding="utf-8")
    return path


def rows(path: Path, **values: str) -> list[Row]:
    with open_catalogue(path, FieldMapping(values=values)) as catalogue:
        return list(catalogue)


@pytest.mark.django_db
def test_a_book_is_known_by_its_isbn(tmp_path: Path) -> None:
    path = books(tmp_path)
    report = run(path, "--no-fetch")

    assert (detect_format(path), counts(report), problems(report)) == ("onix", (2, 0, 0, 0), [])
    lamp = product("9783161484100")
    assert (lamp.title, lamp.description, lamp.brand) == ("The Lamp: A Novel", "A lamp goes out.", "Acme Noir")
    assert (lamp.price, lamp.currency, lamp.available, lamp.tags) == (Decimal("12.90"), "EUR", True, ["night", "light"])
    assert categories("9783161484100") == ["fiction/mystery", "travel"]
    assert lamp.attributes == {"author": "Ann Reed", "language": "eng", "gtin": "9783161484100"}


@pytest.mark.django_db
def test_a_book_that_is_withdrawn_is_inactive_and_its_price_without_tax_is_said(tmp_path: Path) -> None:
    report = run(books(tmp_path), "--no-fetch")

    moth = product("acme-2")
    assert (moth.title, moth.active, moth.available, moth.price, moth.currency) == ("The Moth", False, False, 8, "USD")
    assert "the prices are without tax, of the type 01, 03, 41" in report["notes"]


def test_the_front_cover_is_the_first_photo(tmp_path: Path) -> None:
    assert photos(rows(books(tmp_path))[0]) == ["https://example.com/front.jpg", "https://example.com/back.jpg"]


def test_the_price_is_in_the_currency_of_the_import(tmp_path: Path) -> None:
    path = books(tmp_path)
    assert (of(rows(path, currency="GBP")[0]).price, of(rows(path, currency="GBP")[0]).currency) == (11, "GBP")


@pytest.mark.parametrize(
    ("own", "title"),
    [
        ("<TitlePrefix>The</TitlePrefix><TitleWithoutPrefix>Lamp</TitleWithoutPrefix>", "The Lamp: A Novel"),
        ("<NoPrefix/><TitleWithoutPrefix>Lamp</TitleWithoutPrefix>", "Lamp: A Novel"),
        ("<PartNumber>3</PartNumber>", "Night Library"),
        (
            "</TitleElement><TitleElement/><TitleElement><TitleElementLevel>01</TitleElementLevel><TitleText>Lamp</TitleText>",
            "Lamp: A Novel",
        ),
    ],
)
def test_the_title_is_the_books_and_not_that_of_its_collection(tmp_path: Path, own: str, title: str) -> None:
    text = BOOKS.replace("<TitleText>The Lamp</TitleText>", own)
    assert of(rows(books(tmp_path, text))[0]).title == title


@pytest.mark.parametrize(
    ("whole", "other"),
    [("ONIXMessage", "ONIXmessage"), ("DescriptiveDetail", "Title")],
)
def test_other_versions_of_onix_are_refused(tmp_path: Path, whole: str, other: str) -> None:
    with pytest.raises(CommandError, match=r'ONIXMessage release="3\.0"'):
        run(books(tmp_path, BOOKS.replace(whole, other)))
