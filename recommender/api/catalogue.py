"""The catalogue: products, newest first, and one by one."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from catalog import selectors
from catalog.api import serializers
from catalog.api.parameters import ProductListParameters
from recommender.api.documenting import BAD_LIMIT, CARD, NO_PRODUCT
from recommender.api.product_ids import validate_product_id
from rest.documenting import responses
from rest.parameters import NoParameters
from rest.views import ApiView


class ProductListView(ApiView):
    """The catalogue."""

    endpoint = "products"

    @extend_schema(
        operation_id="products",
        summary="Products, newest first",
        tags=["Catalogue"],
        parameters=[ProductListParameters],
        responses=responses(serializers.ProductPageSerializer, 400, 404),
        examples=[
            OpenApiExample(
                "A page",
                value={
                    "count": 25,
                    "next": "https://shop.example/api/products?page=2",
                    "previous": None,
                    "results": [CARD],
                },
                response_only=True,
                status_codes=["200"],
            ),
            BAD_LIMIT,
        ],
    )
    def get(self, request: Request) -> Response:
        """The products that are for sale, page by page."""
        query = selectors.ProductListQuery(**ProductListParameters.parse(request.query_params))
        page = selectors.product_page(query)
        return Response(
            {
                "count": page.count,
                "next": _page_address(request, query.page + 1) if page.has_next else None,
                "previous": _page_address(request, query.page - 1) if page.has_previous else None,
                "results": serializers.product_cards(page.cards),
            }
        )


class ProductView(ApiView):
    """One product."""

    endpoint = "product"

    @extend_schema(
        operation_id="product",
        summary="One product",
        tags=["Catalogue"],
        parameters=[OpenApiParameter("product_id", int, OpenApiParameter.PATH, description="Its id.")],
        responses=responses(serializers.ProductDetailSerializer, 400, 404),
        examples=[
            OpenApiExample(
                "A product",
                value={
                    **CARD,
                    "description": "Holds 350 ml.",
                    "tags": ["camping"],
                    "attributes": {"colour": "blue"},
                    "images": [{"url": "/media/products/3f/3f0c.jpg", "width": 800, "height": 600, "alt": "A mug"}],
                },
                response_only=True,
                status_codes=["200"],
            ),
            NO_PRODUCT,
        ],
    )
    def get(self, request: Request, product_id: int) -> Response:
        """One product with its description, tags, attributes and all its photos."""
        NoParameters.parse(request.query_params)
        return Response(serializers.product_detail(selectors.product_detail(validate_product_id(product_id))))


def _page_address(request: Request, page: int) -> str:
    query = request.query_params.copy()
    query["page"] = str(page)
    return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
