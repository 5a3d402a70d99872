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
