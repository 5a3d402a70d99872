"""The URLs of the catalogue's endpoints, below /api/."""

from django.urls import path

from catalog.api.batch import ProductBatchView
from catalog.api.by_sku import ProductBySkuView
from catalog.api.feeds import FeedRunView, FeedsView, FeedView
from catalog.api.imports import DryRunImportView, ImportsView, RejectedRowsView
from catalog.api.products import ProductListView, ProductView

urlpatterns = [
    path("products", ProductListView.as_view(), name="products"),
    path("products/<int:product_id>", ProductView.as_view(), name="product"),
    path("products:batch", ProductBatchView.as_view(), name="product_batch"),
    path("products/by-sku/<sku:sku>", ProductBySkuView.as_view(), name="product_by_sku"),
    path("feeds", FeedsView.as_view(), name="feeds"),
    path("feeds/<int:feed_id>", FeedView.as_view(), name="feed"),
    path("feeds/<int:feed_id>/run", FeedRunView.as_view(), name="feed_run"),
    path("imports", ImportsView.as_view(), name="imports"),
    path("jobs/<uuid:job_id>/import", DryRunImportView.as_view(), name="import_of"),
    path("jobs/<uuid:job_id>/rejected", RejectedRowsView.as_view(), name="rejected"),
]
