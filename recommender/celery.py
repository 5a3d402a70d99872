"""The Celery application: `celery -A recommender worker --pool=threads`."""

from celery import Celery

app = Celery("recommender")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
