"""The endpoints of products: the list, and one by one."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from catalog import selectors
from catalog.api import serializers
from catalog.api.documenting import CARD, NO_PRODUCT
from catalog.api.parameters import MAX_PAGE_SIZE, ProductListParameters, validate_product_id
from rest.addresses import address_of, base_address
from rest.documenting import problem_example, responses
from rest.errors import InvalidParameters, ParameterError, integer_expected
from rest.parameters import NoParameters
from rest.problems import INVALID_PARAMETERS
from rest.views import ApiView


class ProductListView(ApiView):
    """A page of products."""

    endpoint = "products"

    @extend_schema(
        operation_id="products",
        summary="List products",
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
            problem_example(
                INVALID_PARAMETERS,
                InvalidParameters([ParameterError("page_size", integer_expected(1, MAX_PAGE_SIZE))]),
                "/api/products",
            ),
        ],
    )
    def get(self, request: Request) -> Response:
        """The visible products, newest first, page by page."""
        query = selectors.ProductListQuery(**ProductListParameters.parse(request.query_params))
        page = selectors.product_page(query)
        return Response(
            {
                "count": page.count,
                "next": _page_url(request, query.page + 1) if page.has_next else None,
                "previous": _page_url(request, query.page - 1) if page.has_previous else None,
                "results": serializers.product_cards(page.cards, base_address(request)),
            }
        )


class ProductView(ApiView):
    """One product."""

    endpoint = "product"

    @extend_schema(
        operation_id="product",
        summary="Get a product",
        tags=["Catalogue"],
        parameters=[OpenApiParameter("product_id", int, OpenApiParameter.PATH, description="The product's id.")],
        responses=responses(serializers.ProductDetailSerializer, 400, 404),
        examples=[
            OpenApiExample(
                "A product",
                value={
                    **CARD,
                    "description": "Holds 350 ml.",
                    "tags": ["camping"],
                    "attributes": {"colour": "blue"},
                    "images": [{"url": CARD["image"], "width": 800, "height": 600, "alt": "A mug"}],
                },
                response_only=True,
                status_codes=["200"],
            ),
            NO_PRODUCT,
        ],
    )
    def get(self, request: Request, product_id: int) -> Response:
        """One visible product with its description, tags, attributes and all its photos."""
        NoParameters.parse(request.query_params)
        detail = selectors.product_detail(validate_product_id(product_id))
        return Response(serializers.product_detail(detail, base_address(request)))


def _page_url(request: Request, page: int) -> str:
    query = request.query_params.copy()
    query["page"] = str(page)
    return f"{address_of(request)}?{query.urlencode()}"
