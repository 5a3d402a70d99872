"""Names of columns that are known to be a field, in English and ten other languages of Europe."""

from __future__ import annotations

from collections.abc import Mapping

# Names of each field by language, the ones that say most first: `id` is the SKU only where no other column is.
# Case, accents, spaces and punctuation make no difference, and a singular stands for its numbered columns (`image 2`).
SYNONYMS: Mapping[str, Mapping[str, str]] = {
    "sku": {
        "en": "sku, seller sku, sku id, article number, article no, article code, article id, item number, item no, item code,"
        " item id, product number, product no, product code, product id, product sku, variant sku, part number, stock code,"
        " style number, model number, reference, article, code, item sku, concrete sku, internal reference, default code,"
        " custom label sku, custom label, object id, vehicle id, listing id, home listing id, hotel id, unique id, order number,"
        " vin, id, abstract sku",
        "de": "artikelnummer, artikelnr, artikel nr, artnr, art nr, artno, artikelcode, artikel id, bestellnummer,"
        " produktnummer, interne referenz, artikelnummer im shop, shop artikelnummer, händler artikelnummer",
        "fr": "référence, réf, code article, référence produit, numéro d'article, code produit, ugs, référence interne",
        "es": "referencia, código, código de artículo, código de producto, número de artículo, referencia interna,"
        " n artículo en tienda, no artículo en tienda",
        "it": "codice, codice articolo, codice prodotto, riferimento, numero articolo, numero prodotto, riferimento interno",
        "nl": "artikelnummer, productcode, artikelcode, bestelnummer, productnummer, interne referentie",
        "pl": "kod, kod produktu, numer artykułu, numer katalogowy, indeks, symbol",
        "pt": "código, referência, código do produto, código do artigo, número do artigo, referência interna,"
        " referência código fornecedor",
        "ru": "артикул, код товара, код, номер товара, идентификатор товара, id товара",
        "uk": "артикул, код товару, код, номер товару, ідентифікатор товару",
        "cs": "kód, kód produktu, kód zboží, číslo produktu, číslo zboží, katalogové číslo",
    },
    "title": {
        "en": "title, product title, product name, item title, item name, article name, name, display name",
        "de": "titel, artikelname, produktname, produkttitel, artikelbezeichnung, produktbezeichnung, bezeichnung",
        "fr": "titre, nom du produit, nom produit, nom de l'article, nom article, nom, désignation, libellé, intitulé",
        "es": "título, nombre del producto, nombre producto, nombre del artículo, nombre artículo, nombre, denominación",
        "it": "titolo, nome prodotto, nome del prodotto, nome articolo, nome dell'articolo, nome, denominazione",
        "nl": "titel, productnaam, producttitel, naam, artikelnaam",
        "pl": "tytuł, nazwa produktu, nazwa",
        "pt": "título, nome do produto, nome produto, nome do artigo, nome, designação",
        "ru": "название товара, наименование товара, название, наименование, заголовок, название позиции",
        "uk": "назва товару, найменування товару, назва, найменування, назва позиції",
        "cs": "název, název produktu, název zboží, jméno produktu",
    },
    "description": {
        "en": "description, product description, long description, full description, body html, body, details,"
        " short description, item description",
        "de": "beschreibung, produktbeschreibung, artikelbeschreibung, langbeschreibung, langtext, kurzbeschreibung",
        "fr": "description, description du produit, descriptif, description longue, description courte",
        "es": "descripción, descripción del producto, descripción larga, descripción corta",
        "it": "descrizione, descrizione prodotto, descrizione lunga, descrizione breve",
        "nl": "beschrijving, omschrijving, productbeschrijving, productomschrijving",
        "pl": "opis, opis produktu, opis długi, opis krótki",
        "pt": "descrição, descrição do produto, html da descrição completa, descrição longa, descrição curta",
        "ru": "описание, описание товара, полное описание, краткое описание",
        "uk": "опис, опис товару, повний опис, короткий опис",
        "cs": "popis, popis produktu, dlouhý popis, krátký popis",
    },
    "category": {
        "en": "category, categories, category path, category name, product category, product categories, product type, department,"
        " google product category, feed product type, category level, main taxon, taxon, taxons, category key",
        "de": "kategorie, kategorien, kategoriepfad, warengruppe, produktkategorie, produktgruppe, rubrik, produktgruppe im shop",
        "fr": "catégorie, catégories, catégorie de produit, rayon, rubrique",
        "es": "categoría, categorías, categoría de producto, familia de productos, categoría del producto en la tienda",
        "it": "categoria, categorie, categoria prodotto, reparto",
        "nl": "categorie, categorieën, productcategorie, productgroep, rubriek",
        "pl": "kategoria, kategorie, kategoria produktu",
        "pt": "categoria, categorias, categoria do produto, departamento",
        "ru": "категория, категории, категория товара, раздел, рубрика, группа товаров, название группы",
        "uk": "категорія, категорії, категорія товару, розділ, група товарів, назва групи",
        "cs": "kategorie, kategorie produktu, kategorie zboží",
    },
    "brand": {
        "en": "brand, brand name, product brand, mark id, manufacturer, manufacturer name, producer, maker, make, vendor,"
        " supplier name",
        "de": "marke, hersteller, markenname, hersteller markenname, hersteller marke",
        "fr": "marque, fabricant",
        "es": "marca, fabricante, fabricante marca",
        "it": "marca, marchio, produttore",
        "nl": "merk, fabrikant, merknaam",
        "pl": "marka, producent",
        "pt": "marca, fabricante",
        "ru": "бренд, производитель, торговая марка",
        "uk": "бренд, виробник, торгова марка",
        "cs": "značka, výrobce",
    },
    "price": {
        "en": "price, current price, selling price, retail price, sales price, regular price, unit price, price incl vat,"
        " price incl tax, gross price, standard price, price with vat, price vat, start price, buy it now price",
        "de": "preis, verkaufspreis, bruttopreis, preis brutto, vk, vk preis, einzelpreis, stückpreis, normalpreis",
        "fr": "prix, prix ttc, prix de vente, prix unitaire, prix public, prix normal, ttc",
        "es": "precio, precio de venta, pvp, precio con iva, precio unitario, precio normal",
        "it": "prezzo, prezzo di vendita, prezzo al pubblico, prezzo ivato, prezzo unitario, prezzo normale",
        "nl": "prijs, verkoopprijs, prijs incl btw, stukprijs",
        "pl": "cena, cena brutto, cena sprzedaży, cena detaliczna",
        "pt": "preço, preço de venda, preço de venda em reais, preço com iva, pvp, preço unitário, preço normal",
        "ru": "цена, розничная цена, цена продажи, стоимость, ррц",
        "uk": "ціна, роздрібна ціна, ціна продажу, вартість, ррц",
        "cs": "cena, cena s dph, prodejní cena",
    },
    "list_price": {
        "en": "list price, compare at price, compare price, original price, old price, price old, former price, was price, rrp,"
        " msrp, strike price",
        "de": "listenpreis, uvp, streichpreis, alter preis, statt preis, unverbindliche preisempfehlung",
        "fr": "prix barré, prix conseillé, ancien prix, prix d'origine",
        "es": "precio de lista, precio anterior, precio original, precio tachado",
        "it": "prezzo di listino, prezzo originale, prezzo barrato",
        "nl": "adviesprijs, van prijs, oude prijs, oorspronkelijke prijs",
        "pl": "cena katalogowa, stara cena, cena przed obniżką",
        "pt": "preço de tabela, preço antigo, preço original",
        "ru": "старая цена, цена до скидки",
        "uk": "стара ціна, ціна до знижки",
        "cs": "původní cena, běžná cena, doporučená cena",
    },
    "currency": {
        "en": "currency, currency code, price currency",
        "de": "währung, währungscode",
        "fr": "devise, monnaie",
        "es": "moneda, divisa",
        "it": "valuta",
        "nl": "valuta, munteenheid",
        "pl": "waluta",
        "pt": "moeda",
        "ru": "валюта",
        "uk": "валюта",
        "cs": "měna",
    },
    "available": {
        "en": "available, availability, is available, in stock, is in stock, stock status, stock, stock quantity, quantity, qty,"
        " inventory, inventory quantity, stock level, on hand",
        "de": "verfügbar, verfügbarkeit, auf lager, lagerstatus, lagerbestand, bestand, lager, menge, anzahl",
        "fr": "disponible, disponibilité, en stock, stock, quantité",
        "es": "disponible, disponibilidad, en stock, existencias, cantidad",
        "it": "disponibile, disponibilità, in magazzino, giacenza, scorte, quantità",
        "nl": "beschikbaar, beschikbaarheid, op voorraad, voorraad, aantal",
        "pl": "dostępny, dostępność, stan magazynowy, stan, ilość",
        "pt": "disponível, disponibilidade, em estoque, em stock, estoque, estoque do produto, quantidade",
        "ru": "наличие, в наличии, остаток, остатки, количество, кол во, на складе",
        "uk": "наявність, в наявності, залишок, залишки, кількість, на складі",
        "cs": "dostupnost, skladem, sklad, stav skladu, množství, počet kusů",
    },
    "active": {
        "en": "active, is active, enabled, published, is published, visible",
        "de": "aktiv, veröffentlicht, sichtbar",
        "fr": "actif, publié, visible",
        "es": "activo, publicado, visible",
        "it": "attivo, pubblicato, visibile",
        "nl": "actief, gepubliceerd, zichtbaar",
        "pl": "aktywny, opublikowany, widoczny",
        "pt": "ativo, publicado, visível, exibir produto ativo",
        "ru": "активен, активность, опубликован, опубликовано",
        "uk": "активний, опубліковано",
        "cs": "aktivní, viditelný, zobrazit",
    },
    "tags": {
        "en": "tags, tag, product tags, keywords, labels",
        "de": "schlagwörter, schlagworte, stichwörter, stichworte",
        "fr": "étiquettes, mots clés",
        "es": "etiquetas, palabras clave",
        "it": "etichette, parole chiave",
        "nl": "trefwoorden, labels",
        "pl": "tagi, słowa kluczowe, etykiety",
        "pt": "etiquetas, palavras chave",
        "ru": "теги, метки, ключевые слова, поисковые запросы",
        "uk": "теги, мітки, ключові слова, пошукові запити",
        "cs": "štítky, klíčová slova",
    },
    "family": {
        "en": "family, item group id, parent sku, abstract sku, parent id, product group id, variant group, variant group id,"
        " variant of, main number",
        "de": "variantengruppe, eltern artikelnummer, hauptartikel, hauptartikelnummer, vaterartikel",
        "fr": "groupe de variantes, référence parent, produit parent",
        "es": "grupo de variantes, referencia padre, producto padre",
        "it": "gruppo varianti, codice padre, prodotto padre",
        "nl": "variantgroep, hoofdartikel",
        "pl": "grupa wariantów, produkt nadrzędny",
        "pt": "grupo de variantes, referência pai, produto pai",
    },
    "image": {
        "en": "image, images, image url, image urls, image link, image links, photo, photos, photo url, picture, pictures,"
        " picture url, main image, main image url, primary image, product image, product image url, product images, image src,"
        " image path, image file, image name, default image, pic url, filename, file name, item photo url, photo link, img url,"
        " img, images image url, media asset",
        "de": "bild, bilder, bild url, bildlink, bild link, bilddatei, produktbild, produktbilder, hauptbild, foto, fotos",
        "fr": "image, images, photo, photos, url de l'image, lien image, image principale",
        "es": "imagen, imágenes, foto, fotos, url de imagen, imagen principal",
        "it": "immagine, immagini, foto, url immagine, immagine principale",
        "nl": "afbeelding, afbeeldingen, foto, foto's, afbeelding url, hoofdafbeelding",
        "pl": "zdjęcie, zdjęcia, obraz, obrazek, url zdjęcia, zdjęcie główne",
        "pt": "imagem, imagens, foto, fotos, url da imagem, imagem principal",
        "ru": "изображение, изображения, картинка, картинки, фото, фотография, фотографии, ссылка на изображение,"
        " ссылка на фото, ссылка на картинку, ссылка изображения",
        "uk": "зображення, світлина, фото, фотографія, фотографії, посилання на зображення, посилання на фото,"
        " посилання зображення",
        "cs": "obrázek, obrázky, fotka, fotografie, url obrázku, hlavní obrázek",
    },
    "attribute.size": {
        "en": "size, size name",
        "de": "größe, grösse",
        "fr": "taille",
        "es": "talla, tamaño",
        "it": "taglia, misura",
        "nl": "maat",
        "pl": "rozmiar",
        "pt": "tamanho",
        "ru": "размер",
        "uk": "розмір",
        "cs": "velikost",
    },
    "attribute.color": {
        "en": "color, colour, color name, colour name",
        "de": "farbe",
        "fr": "couleur",
        "es": "color",
        "it": "colore",
        "nl": "kleur",
        "pl": "kolor",
        "pt": "cor",
        "ru": "цвет",
        "uk": "колір",
        "cs": "barva",
    },
    "attribute.material": {
        "en": "material, material type",
        "de": "material",
        "fr": "matière, matériau",
        "es": "material",
        "it": "materiale",
        "nl": "materiaal",
        "pl": "materiał",
        "pt": "material",
        "ru": "материал",
        "uk": "матеріал",
        "cs": "materiál",
    },
    "attribute.pattern": {"en": "pattern", "de": "muster", "fr": "motif"},
    "attribute.gender": {
        "en": "gender",
        "de": "geschlecht",
        "fr": "genre, sexe",
        "es": "género",
        "it": "genere",
        "nl": "geslacht",
        "pl": "płeć",
        "pt": "gênero, género",
    },
    "attribute.age_group": {"en": "age group", "de": "altersgruppe"},
    "attribute.condition": {"en": "condition", "de": "zustand", "fr": "état"},
    "attribute.gtin": {
        "en": "gtin, gtin13, ean, eans, ean13, ean code, upc, barcode, isbn, external product id",
        "de": "ean nummer, ean gtin barcodenummer upc, strichcode",
        "fr": "code ean, code barre, code barres, code à barres",
        "es": "código de barras, código ean",
        "it": "codice a barre, codice ean",
        "pt": "código de barras",
        "nl": "ean code, streepjescode",
        "pl": "kod ean, kod kreskowy",
    },
    "attribute.mpn": {
        "en": "mpn, manufacturer part number, vendor code",
        "de": "herstellernummer, herstellerartikelnummer, original herstellerartikelnummer han mpn, han, hans",
    },
    "attribute.link": {
        "en": "link, url, product url, product link, page url",
        "de": "produktlink",
        "fr": "lien, lien produit",
    },
}
# More photos of a product, besides those of `image`.
FURTHER_IMAGES = """
additional image, additional images, additional image link, additional image links, additional image url, additional image urls,
product secondary image url, other images, other image url, more images, gallery, gallery images, extra images, back image,
weitere bilder, zusatzbilder,
images supplémentaires, autres images, imágenes adicionales, immagini aggiuntive, extra afbeeldingen, dodatkowe zdjęcia,
imagens adicionais
"""
# Prices of sales, which are the price where they are lower than it.
SALE_PRICES = """
sale price, special price, offer price, discount price, discounted price, promo price, promotional price,
angebotspreis, sonderpreis, aktionspreis, prix promo, prix soldé, precio de oferta, precio oferta, precio rebajado,
precio promocional, prezzo scontato, prezzo offerta, actieprijs, aanbiedingsprijs, cena promocyjna, preço promocional,
preço promo, акционная цена, акційна ціна, akční cena
"""
# Columns that shops have and that are no field here: they are named if they were not used.
WELL_KNOWN = """
sale price, special price, offer price, discount price, sale price effective date, angebotspreis, sonderpreis, prix promo,
precio de oferta, prezzo scontato, actieprijs, cena promocyjna, preço promocional, weight, gewicht, poids, peso, waga, height,
width,
length, shipping, shipping weight, tax, tax class, vat, cost, cost price, cost per item, status, meta title, meta description,
seo title, seo description, video, video link, supplier, google product category, unit pricing measure, energy efficiency class,
short description, prices, custom label 0, custom label 1, custom label 2, custom label 3, custom label 4, variants, options,
net price, price excl tax, price excl vat, nettopreis, prix ht, precio sin iva, prezzo senza iva, prijs excl btw, cena netto,
preço sem iva
"""
