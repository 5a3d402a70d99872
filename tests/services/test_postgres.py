"""The catalogue's whole way on PostgreSQL."""


def test_a_catalogue_goes_in_and_similar_products_come_out(make_site, draw_photos, postgres_url):
    site = make_site(DATABASE_URL=postgres_url)
    folder = str(draw_photos(12))
    assert "12" in site.manage("import_catalog", folder).stdout
    assert site.states() == {"indexed": 12}
    again = site.manage("import_catalog", folder).stdout
    assert "unchanged       12" in again
    assert "12 points in a new index, now live" in site.manage("reindex").stdout
    assert "0 missing, 0 stale, 0 orphaned" in site.manage("reindex", "--verify").stdout
    assert "all-v2: 12 points in a new index, now live" in site.manage("reindex", "--rebuild").stdout
    server = site.serve()
    product = site.query("SELECT MIN(id) FROM catalog_product")[0][0]
    answer = server.similar(product)
    assert answer["encoder"] == "all-v2"
    assert len(answer["results"]) == 5
    assert not answer["fallback"]


def test_two_imports_of_the_same_new_products_at_once_both_succeed(make_site, postgres_url, tmp_path):
    site = make_site(DATABASE_URL=postgres_url)
    lines = [f"race-{n},Product {n},Department {n % 40} > Shelf {n % 7},family-{n // 5}" for n in range(3000)]
    imports = []
    for number, order in enumerate((lines, lines[::-1])):
        table = tmp_path / f"{number}.csv"
        table.write_text("\n".join(["sku,title,category,family", *order]))
        imports.append(site.start("manage.py", "import_catalog", str(table)))
    assert [each.wait(120) for each in imports] == [0, 0], site.log()
    assert "Traceback" not in site.log()
    assert "rejected         0" in site.log()
    rows = "FROM catalog_product WHERE sku LIKE 'race-%'"
    assert site.query(f"SELECT COUNT(*), COUNT(DISTINCT family_code) {rows}") == [(3000, 600)]
    assert site.query(f"SELECT COUNT(*) {rows} AND variant_of_id IS NULL") == [(600,)]
