"""The WSGI application: `gunicorn lookalike.wsgi`."""

import gc
import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

# What is imported stays, but for 1 MB: to look for garbage in it takes a tenth of the start.
gc.disable()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lookalike.settings")
if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
    from lookalike import tracing

    tracing.start("lookalike" if settings.SERVICE == "all" else f"lookalike-{settings.SERVICE}")
application = get_wsgi_application()

from catalog.background import start_sweep_thread  # noqa: E402  (needs the apps loaded)
from embeddings.background import start_outbox_thread  # noqa: E402
from jobs.background import start_job_threads  # noqa: E402
from lookalike.garbage import look_for_garbage  # noqa: E402
from recommender.neighbours import start_finding_ahead  # noqa: E402

look_for_garbage()

if settings.HEALTH_PORT:
    from lookalike import probes

    probes.start(*settings.HEALTH_PORT)
start_outbox_thread()
start_job_threads()
start_sweep_thread()
start_finding_ahead()
