"""What a process loads: training's libraries cost seconds and hundreds of megabytes, and serving needs none of them."""

import pytest

from tests.services.conftest import ROOT

HEAVY = ("tensorflow", "keras", "tf_keras", "tensorflow_hub")


@pytest.mark.parametrize(
    "program",
    [
        "import lookalike.wsgi",
        "import lookalike.celery, django; django.setup(); import embeddings.tasks, jobs.tasks",
        "import django; django.setup(); import embeddings.management.commands.reindex, lookalike.urls",
    ],
    ids=["web", "worker", "commands"],
)
def test_no_process_that_serves_loads_tensorflow(make_site, program):
    site = make_site(forked=False, DJANGO_SETTINGS_MODULE="lookalike.settings", PYTHONPATH=str(ROOT))
    use = "from embeddings.backends import get_encoder, get_vector_index; get_encoder().dim; get_vector_index()"
    loaded = f"import sys; print([name for name in {HEAVY} if name in sys.modules])"
    assert site.run("-c", f"{program}; {use}; {loaded}").stdout.strip() == "[]"
