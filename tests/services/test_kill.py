"""A process that is killed in the middle of its work loses none of it."""

import signal

from embeddings.vector_index.edge import EdgeVectorIndex

COUNT = 500


def test_after_a_kill_in_the_middle_of_embedding_every_photo_is_indexed_exactly_once(make_site, draw_photos):
    site = make_site()
    command = site.start("manage.py", "import_catalog", str(draw_photos(COUNT)))
    site.wait_until(lambda: command.poll() is not None or bool(site.states().keys() & {"embedded", "indexed"}))
    command.send_signal(signal.SIGKILL)
    assert command.wait() == -signal.SIGKILL, site.log()
    waiting = site.states().get("pending", 0)
    assert 0 < waiting < COUNT

    site.manage("reindex", "--only-missing")

    assert site.states() == {"indexed": COUNT}
    photos = [image_id for (image_id,) in site.query("SELECT id FROM catalog_productimage ORDER BY id")]
    rows = site.query("SELECT image_id FROM embeddings_imageembedding ORDER BY image_id")
    assert rows == [(image_id,) for image_id in photos]
    index = EdgeVectorIndex(site.folder / "index")
    assert [point.id for batch in index.scroll("all-v1-g1") for point in batch] == photos
    assert index.count("all-v1-g1") == len(photos) == COUNT
    index.close()
    assert "0 missing, 0 stale, 0 orphaned" in site.manage("reindex", "--verify").stdout
