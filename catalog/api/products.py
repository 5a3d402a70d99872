"""The endpoints of products: the list, and one by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from catalog import selectors
from catalog.api import serializers
from catalog.api.documenting import CARD, DETAIL, NO_PRODUCT
from catalog.api.parameters import MAX_PAGE_SIZE, ProductListParameters, check_names
from catalog.api.references import PRODUCT_ID, ProductReference
from rest.addresses import address_of, base_address
from rest.cursors import Cursor, page_url
from rest.documenting import problem_example, responses
from rest.errors import InvalidParameters, ParameterError, integer_expected
from rest.parameters import NoParameters
from rest.problems import INVALID_PARAMETERS
from rest.views import ApiView


class ProductListView(ApiView):
    """A page of products."""

    endpoint = "products"
    elsewhere: Mapping[str, str] = {
        "POST": "PUT /api/products/by-sku/<sku> creates a product, POST /api/products:batch many"
    }

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
        """The visible products, newest first, page by page.

        To read all of them, begin with `pagination=cursor` and follow `next`: products that are added or removed meanwhile
        do not shift the pages, and a late page costs no more than the first.
        """
        values = ProductListParameters.parse(request.query_params)
        if values.pop("strict"):
            check_names(values["filter"], is_empty=True)
        query = selectors.ProductListQuery(**values)
        page = selectors.product_page(query)
        url = _cursor_url if query.by_cursor else _page_url
        return Response(
            {
                "count": page.count,
                "next": url(request, query, page, step=1) if page.has_next else None,
                "previous": url(request, query, page, step=-1) if page.has_previous else None,
                "results": serializers.product_cards(page.cards, base_address(request)),
            }
        )


DETAIL_SCHEMA: dict[str, Any] = {
    "tags": ["Catalogue"],
    "responses": responses(serializers.ProductDetailSerializer, 400, 404),
}
A_PRODUCT = OpenApiExample("A product", value=DETAIL, response_only=True, status_codes=["200"])


def detail_response(request: Request, reference: ProductReference) -> Response:
    """The response with one product.

    Args:
        request: without parameters.
        reference: the product.

    Returns:
        200 with the product as ProductDetailSerializer describes it.

    Raises:
        ProductNotFound: there is no such product, or it is not visible.
    """
    NoParameters.parse(request.query_params)
    with reference.found() as product_id:
        detail = selectors.product_detail(product_id)
    return Response(serializers.product_detail(detail, base_address(request)))


class ProductView(ApiView):
    """One product."""

    endpoint = "product"
    elsewhere: Mapping[str, str] = dict.fromkeys(
        ("PUT", "PATCH", "DELETE"), "products are changed by their SKU, at /api/products/by-sku/<sku>"
    )

    @extend_schema(
        operation_id="product",
        summary="Get a product",
        parameters=[PRODUCT_ID],
        examples=[A_PRODUCT, NO_PRODUCT],
        **DETAIL_SCHEMA,
    )
    def get(self, request: Request, product_id: int) -> Response:
        """One visible product with its description, tags, attributes and all its photos."""
        return detail_response(request, ProductReference(product_id))


def _page_url(request: Request, query: selectors.ProductListQuery, _: selectors.ProductPage, *, step: int) -> str:
    params = request.query_params.copy()
    params["page"] = str(query.page + step)
    return f"{address_of(request)}?{params.urlencode()}"


def _cursor_url(request: Request, _: selectors.ProductListQuery, page: selectors.ProductPage, *, step: int) -> str:
    edge = page.cards[-1] if step > 0 else page.cards[0]
    return page_url(address_of(request), request.query_params, Cursor((str(edge.id),), backwards=step < 0))
