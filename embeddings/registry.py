"""Owns what a process keeps of the embedding service: adapters, caches, pauses."""

from __future__ import annotations

from jobs.process import Registry

registry = Registry()
