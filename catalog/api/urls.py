"""The URLs of the catalogue's endpoints, below /api/."""

from django.urls import path

from catalog.api.products import ProductListView, ProductView

urlpatterns = [
    path("products", ProductListView.as_view(), name="products"),
    path("products/<int:product_id>", ProductView.as_view(), name="product"),
]
