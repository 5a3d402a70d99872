"""The endpoints of merchandising rules: sets, and the rules of a set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.audit import describe_change
from accounts.documenting import WRITES_DISABLED
from accounts.keys import Scope
from catalog.api.inputs import json_schema
from recommender.models import Rule, RuleSet
from recommender.problems import UNKNOWN_RULE, UNKNOWN_RULE_SET
from recommender.rules import services
from recommender.rules.errors import InvalidRule, UnknownRule, UnknownRuleSet
from recommender.rules.kinds import KINDS
from recommender.rules.targets import lost_by_rule
from rest.addresses import api_address
from rest.documenting import problem_example, responses
from rest.documents import check_document
from rest.errors import InvalidParameters, ParameterError
from rest.idempotency import IDEMPOTENCY_KEY, answer_once
from rest.parameters import NoParameters
from rest.parsers import JsonParser
from rest.problems import INVALID_PARAMETERS
from rest.views import ApiView

_SCOPES = frozenset({Scope.TRAIN})
_TAG = "Merchandising rules"
_NAME = OpenApiParameter("name", str, OpenApiParameter.PATH, description="Name of the rule set.")
_RULE_ID = OpenApiParameter("rule_id", int, OpenApiParameter.PATH, description="Id of the rule.")
_RULE: dict[str, Any] = {
    "id": 7, "kind": "hide", "scope": "category", "target": "clothing/shirts", "parameters": {"brand": ["Acme"]},
    "active": True, "note": "Until the new contract", "lost": [],
}  # fmt: skip
_SET: dict[str, Any] = {"name": "summer", "collection": None, "active": True}
_NO_SET = problem_example(UNKNOWN_RULE_SET, UnknownRuleSet("winter", ["summer"]), "/api/rule-sets/winter")
_NO_RULE = problem_example(UNKNOWN_RULE, UnknownRule("summer", 9), "/api/rule-sets/summer/rules/9")
_INVALID = problem_example(
    INVALID_PARAMETERS,
    InvalidParameters([ParameterError("parameters.brand", "names no brand, 'Amce'; the nearest: Acme")]),
    "/api/rule-sets/summer/rules",
)


class RuleSerializer(serializers.Serializer[Any]):
    """A merchandising rule."""

    id = serializers.IntegerField()
    kind = serializers.ChoiceField([*KINDS])
    scope = serializers.ChoiceField(Rule.Scope.values)
    target = serializers.CharField(help_text='Of the scope; "" everywhere.')
    parameters = serializers.DictField(help_text="As its kind has them; without those that have their defaults.")
    active = serializers.BooleanField()
    note = serializers.CharField()
    lost = serializers.ListField(
        child=serializers.CharField(),
        help_text="What the rule names and what does not exist any more, e.g. `brand Acme`: it applies to nothing.",
    )


class RuleListSerializer(serializers.Serializer[Any]):
    """The rules of a set."""

    results = RuleSerializer(many=True)


class RuleSetSerializer(serializers.Serializer[Any]):
    """A rule set, without its rules."""

    name = serializers.CharField()
    collection = serializers.CharField(
        allow_null=True, help_text="Slug; null: for every collection without an active set of its own."
    )
    active = serializers.BooleanField()


class RuleSetListSerializer(serializers.Serializer[Any]):
    """All rule sets."""

    results = RuleSetSerializer(many=True)


def _rule_schema() -> dict[str, Any]:
    """The JSON Schema of a rule, with the parameters of each kind in words."""
    schema = json_schema(services.RuleValues)
    lines = []
    for name, kind in KINDS.items():
        members = [f"`{each}`: {field.description}" for each, field in kind.model_fields.items()]
        lines.append(f"- `{name}`: {kind.help} {' '.join(members) or 'It has no parameters.'}")
    schema["properties"]["parameters"]["description"] = "As its kind has them:\n\n" + "\n".join(lines)
    return schema


_WRITES = (400, 403, 404, 413, 415, 422, 503)
_RULE_INPUT = OpenApiExample(
    "Hide a brand beside shirts",
    value={"kind": "hide", "scope": "category", "target": "clothing/shirts", "parameters": {"brand": ["Acme"]}},
    request_only=True,
)


class _RulesApiView(ApiView):
    """Rules say what a shop earns with what, so that reading them needs a key, too."""

    write_scopes = dict.fromkeys(("GET", "POST", "PUT", "DELETE"), _SCOPES)
    parser_classes: Sequence[type[BaseParser]] = [JsonParser]


class RuleSetsView(_RulesApiView):
    """All rule sets."""

    endpoint = "rule_sets"

    @extend_schema(
        operation_id="rule_sets",
        summary="List rule sets",
        tags=[_TAG],
        responses=responses(RuleSetListSerializer, 400),
        examples=[OpenApiExample("One set", value={"results": [_SET]}, response_only=True, status_codes=["200"])],
    )
    def get(self, request: Request) -> Response:
        """All rule sets, by name."""
        NoParameters.parse(request.query_params)
        sets = RuleSet.objects.select_related("collection")
        return Response({"results": [_set_json(each) for each in sets]})

    @extend_schema(
        operation_id="create_rule_set",
        summary="Create a rule set",
        tags=[_TAG],
        parameters=[IDEMPOTENCY_KEY],
        request={"application/json": json_schema(services.RuleSetValues)},
        responses=responses(RuleSetSerializer, 400, 403, 413, 415, 422, 503, status=201),
        examples=[OpenApiExample("A set", value=_SET), WRITES_DISABLED],
    )
    def post(self, request: Request) -> Response:
        """Create a rule set without rules. If it is active, the set that was active for its collection no longer is."""
        return _write(request, lambda document: _created_set(request, document))


class RuleSetView(_RulesApiView):
    """One rule set."""

    endpoint = "rule_set"

    @extend_schema(
        operation_id="rule_set",
        summary="Get a rule set",
        tags=[_TAG],
        parameters=[_NAME],
        responses=responses(RuleSetSerializer, 400, 404),
        examples=[OpenApiExample("A set", value=_SET, response_only=True, status_codes=["200"]), _NO_SET],
    )
    def get(self, request: Request, name: str) -> Response:
        """A rule set, without its rules."""
        NoParameters.parse(request.query_params)
        return Response(_set_json(services.find_set(name)))

    @extend_schema(
        operation_id="put_rule_set",
        summary="Change a rule set",
        tags=[_TAG],
        parameters=[_NAME, IDEMPOTENCY_KEY],
        request={"application/json": json_schema(services.RuleSetValues)},
        responses=responses(RuleSetSerializer, *_WRITES),
        examples=[OpenApiExample("A set", value=_SET), _NO_SET, WRITES_DISABLED],
    )
    def put(self, request: Request, name: str) -> Response:
        """Change the name, the collection and whether the set is active: fields that are not sent get their defaults."""
        return _write(
            request, lambda document: Response(_set_json(services.save_set(document, services.find_set(name))))
        )

    @extend_schema(
        operation_id="delete_rule_set",
        summary="Delete a rule set",
        tags=[_TAG],
        parameters=[_NAME, IDEMPOTENCY_KEY],
        request=None,
        responses={204: None, **responses(None, 400, 403, 404, 415, 422, 503)},
        examples=[_NO_SET, WRITES_DISABLED],
    )
    def delete(self, request: Request, name: str) -> Response:
        """Delete a rule set with its rules."""
        NoParameters.parse(request.query_params)
        return answer_once(request, lambda _: _deleted(request, lambda: services.delete_set(services.find_set(name))))


class RulesView(_RulesApiView):
    """The rules of a set."""

    endpoint = "rules"

    @extend_schema(
        operation_id="rules",
        summary="List the rules of a set",
        tags=[_TAG],
        parameters=[_NAME],
        responses=responses(RuleListSerializer, 400, 404),
        examples=[
            OpenApiExample("One rule", value={"results": [_RULE]}, response_only=True, status_codes=["200"]),
            _NO_SET,
        ],
    )
    def get(self, request: Request, name: str) -> Response:
        """The rules of a set, in their order."""
        NoParameters.parse(request.query_params)
        return Response({"results": _rules_json(services.find_set(name).rules.all())})

    @extend_schema(
        operation_id="create_rule",
        summary="Create a rule",
        tags=[_TAG],
        parameters=[_NAME, IDEMPOTENCY_KEY],
        request={"application/json": _rule_schema()},
        responses=responses(RuleSerializer, *_WRITES, status=201),
        examples=[
            _RULE_INPUT,
            OpenApiExample("The rule", value=_RULE, response_only=True, status_codes=["201"]),
            _INVALID,
            _NO_SET,
            WRITES_DISABLED,
        ],
    )
    def post(self, request: Request, name: str) -> Response:
        """Create a rule at the end of a set. What it names has to exist."""
        return _write(request, lambda document: _created_rule(request, name, document))


class RuleView(_RulesApiView):
    """One rule."""

    endpoint = "rule"

    @extend_schema(
        operation_id="rule",
        summary="Get a rule",
        tags=[_TAG],
        parameters=[_NAME, _RULE_ID],
        responses=responses(RuleSerializer, 400, 404),
        examples=[OpenApiExample("The rule", value=_RULE, response_only=True, status_codes=["200"]), _NO_RULE],
    )
    def get(self, request: Request, name: str, rule_id: int) -> Response:
        """A rule of a set."""
        NoParameters.parse(request.query_params)
        return Response(_rule_json(services.find_rule(services.find_set(name), rule_id)))

    @extend_schema(
        operation_id="put_rule",
        summary="Replace a rule",
        tags=[_TAG],
        parameters=[_NAME, _RULE_ID, IDEMPOTENCY_KEY],
        request={"application/json": _rule_schema()},
        responses=responses(RuleSerializer, *_WRITES),
        examples=[
            _RULE_INPUT,
            OpenApiExample("The rule", value=_RULE, response_only=True, status_codes=["200"]),
            _INVALID,
            _NO_RULE,
            WRITES_DISABLED,
        ],
    )
    def put(self, request: Request, name: str, rule_id: int) -> Response:
        """Replace a rule: fields that are not sent get their defaults. It keeps its place."""

        def change(document: Any) -> Response:
            rule_set = services.find_set(name)
            return Response(_rule_json(services.save_rule(rule_set, document, services.find_rule(rule_set, rule_id))))

        return _write(request, change)

    @extend_schema(
        operation_id="delete_rule",
        summary="Delete a rule",
        tags=[_TAG],
        parameters=[_NAME, _RULE_ID, IDEMPOTENCY_KEY],
        request=None,
        responses={204: None, **responses(None, 400, 403, 404, 415, 422, 503)},
        examples=[_NO_RULE, WRITES_DISABLED],
    )
    def delete(self, request: Request, name: str, rule_id: int) -> Response:
        """Delete a rule."""
        NoParameters.parse(request.query_params)
        return answer_once(
            request,
            lambda _: _deleted(
                request, lambda: services.delete_rule(services.find_rule(services.find_set(name), rule_id))
            ),
        )


def _write(request: Request, change: Callable[[Any], Response]) -> Response:
    """Have a change made with the document of a request; what is wrong with it becomes errors of its members."""
    check_document(request, "a rule is shorter")

    def made(document: Any) -> Response:
        try:
            return change(document)
        except InvalidRule as error:
            raise InvalidParameters(error.errors) from error

    return answer_once(request, made, prepare=lambda: request.data)


def _created_set(request: Request, document: Any) -> Response:
    rule_set = services.save_set(document)
    describe_change(request._request, f"rule set {rule_set.name}: created")
    location = f"{api_address(request)}/rule-sets/{rule_set.name}"
    return Response(_set_json(rule_set), status=HTTPStatus.CREATED, headers={"Location": location})


def _created_rule(request: Request, name: str, document: Any) -> Response:
    rule = services.save_rule(services.find_set(name), document)
    describe_change(request._request, f"rule set {name}: rule {rule.pk} created")
    location = f"{api_address(request)}/rule-sets/{name}/rules/{rule.pk}"
    return Response(_rule_json(rule), status=HTTPStatus.CREATED, headers={"Location": location})


def _deleted(request: Request, delete: Callable[[], None]) -> Response:
    delete()
    describe_change(request._request, "deleted")
    return Response(status=HTTPStatus.NO_CONTENT)


def _set_json(rule_set: RuleSet) -> dict[str, Any]:
    collection = rule_set.collection.slug if rule_set.collection else None
    return {"name": rule_set.name, "collection": collection, "active": rule_set.active}


def _rule_json(rule: Rule) -> dict[str, Any]:
    return _rules_json([rule])[0]


def _rules_json(rules: Any) -> list[dict[str, Any]]:
    rules = [*rules]
    lost = lost_by_rule({rule.pk: services.names_of(rule) for rule in rules})
    return [
        {
            "id": rule.pk,
            **{name: getattr(rule, name) for name in services.COLUMNS},
            "lost": [str(each) for each in lost.get(rule.pk, ())],
        }
        for rule in rules
    ]
