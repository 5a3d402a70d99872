"""How tests read an answer of the API."""

from __future__ import annotations

from typing import Any


def problem(response: Any, status: int) -> dict[str, Any]:
    """The problem detail of an answer, checked for what RFC 9457 asks of all of them."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    body = dict(response.json())
    assert body.keys() >= {"type", "title", "status", "detail", "instance"}
    assert all(isinstance(body[name], str) and body[name] for name in ("type", "title", "detail", "instance"))
    assert body["status"] == status
    return body


def ids(answer: dict[str, Any]) -> list[int]:
    """The products of an answer, in order."""
    return [result["product"]["id"] for result in answer["results"]]
