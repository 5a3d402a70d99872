"""The URLs of the demo shop."""

from __future__ import annotations

from django.urls import path

from storefront import views

app_name = "storefront"
urlpatterns = [
    path("", views.home, name="home"),
    path("brand.css", views.brand_style_sheet, name="brand"),
    path("products/", views.products, name="products"),
    path("products/<int:pk>/", views.product, {"slug": ""}),
    path("products/<int:pk>/<slug:slug>/", views.product, name="product"),
    path("categories/<path:category_path>/", views.category, name="category"),
    path("visual-search/", views.visual_search, name="visual-search"),
    path("basket/", views.basket_detail, name="basket"),
    path("basket/add/<int:pk>/", views.add_to_basket, name="add-to-basket"),
    path("basket/change/<int:pk>/", views.change_basket, name="change-basket"),
    path("basket/order/", views.place_order, name="place-order"),
    path("basket/thanks/", views.order_confirmation, name="order-confirmation"),
]
