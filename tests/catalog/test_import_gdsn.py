"""Trade items of GDSN 3."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import CommandError

from product_files.mapping import FieldMapping
from product_files.sources import detect_format, open_catalogue
from tests.catalog.importing import of, photos, run

ITEMS = """<?xml version="1.0" encoding="UTF-8"?>
<catalogue_item_notification:catalogueItemNotificationMessage
  xmlns:catalogue_item_notification="urn:gs1:gdsn:catalogue_item_notification:xsd:3"
  xmlns:description="urn:gs1:gdsn:trade_item_description:xsd:3"
  xmlns:files="urn:gs1:gdsn:referenced_file_detail_information:xsd:3">
 <transaction><documentCommand><catalogue_item_notification:catalogueItemNotification>
  <catalogueItem>
   <tradeItem><isTradeItemAConsumerUnit>false</isTradeItemAConsumerUnit><gtin>14000000000014</gtin>
    <tradeItemInformation><extension><description:tradeItemDescriptionModule><tradeItemDescriptionInformation>
     <descriptionShort languageCode="en">Case of tea</descriptionShort>
    </tradeItemDescriptionInformation></description:tradeItemDescriptionModule></extension></tradeItemInformation>
   </tradeItem>
   <catalogueItemChildItemLink><catalogueItem>
    <tradeItem><isTradeItemAConsumerUnit>true</isTradeItemAConsumerUnit><gtin>04000000000017</gtin>
     <gdsnTradeItemClassification><gpcCategoryCode>10000115</gpcCategoryCode>
      <gpcCategoryName>Tea - Bags</gpcCategoryName></gdsnTradeItemClassification>
     <tradeItemInformation><extension>
      <description:tradeItemDescriptionModule><tradeItemDescriptionInformation>
       <descriptionShort languageCode="de">Minztee</descriptionShort>
       <descriptionShort languageCode="en">Mint tea</descriptionShort>
       <tradeItemDescription languageCode="de">Minztee 20 Beutel</tradeItemDescription>
       <tradeItemDescription languageCode="en">Mint tea, 20 bags</tradeItemDescription>
       <brandNameInformation><brandName>Leaf</brandName></brandNameInformation>
      </tradeItemDescriptionInformation></description:tradeItemDescriptionModule>
      <files:referencedFileDetailInformationModule>
       <referencedFileHeader><referencedFileTypeCode>PRODUCT_IMAGE</referencedFileTypeCode>
        <uniformResourceIdentifier>https://example.com/tea.jpg</uniformResourceIdentifier></referencedFileHeader>
       <referencedFileHeader><referencedFileTypeCode>SAFETY_DATA_SHEET</referencedFileTypeCode>
        <uniformResourceIdentifier>https://example.com/tea.pdf</uniformResourceIdentifier></referencedFileHeader>
      </files:referencedFileDetailInformationModule>
     </extension></tradeItemInformation>
    </tradeItem></catalogueItem></catalogueItemChildItemLink>
  </catalogueItem>
 </catalogue_item_notification:catalogueItemNotification></documentCommand></transaction>
</catalogue_item_notification:catalogueItemNotificationMessage>
"""


def test_what_consumers_buy_is_read_in_the_shops_language(tmp_path: Path) -> None:
    path = tmp_path / "message.xml"
    path.write_text(ITEMS, encoding="utf-8")
    assert detect_format(path) == "gdsn"
    with open_catalogue(path, FieldMapping()) as catalogue:
        (row,) = list(catalogue)
        found = of(row)
        assert (found.sku, found.title, found.description) == ("04000000000017", "Mint tea, 20 bags", "Mint tea")
        assert (found.brand, found.category, photos(row)) == ("Leaf", ("Tea - Bags",), ["https://example.com/tea.jpg"])
        assert found.attributes == {"gtin": "04000000000017"}
        assert row.fields is not None
        # The message has neither prices nor stocks: those of the products stay.
        assert not row.fields & {"price", "available"}
        assert "1 objects that are no products were left out" in catalogue.notes


@pytest.mark.django_db
def test_other_xml_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "message.xml"
    path.write_text("<orders><tradeItem/></orders>", encoding="utf-8")
    with pytest.raises(CommandError, match="catalogueItemNotificationMessage"):
        run(path, "--format", "gdsn")
