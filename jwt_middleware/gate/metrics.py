"""The counts as Prometheus has them: read when somebody asks, in the form of its own client library.

`prometheus_client` is imported by the first reading, never before: who does not ask pays nothing.
"""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from jwt_middleware.gate.cache import Cache
from jwt_middleware.gate.tally import Tallies

if TYPE_CHECKING:
    from prometheus_client.core import Metric
    from prometheus_client.registry import Collector
else:
    Collector = object

_PREFIX = "jwt_middleware_"

# Of `Accept` only what the library can read: an odd version makes it raise, and is repeated in the answer's headers.
_MEDIA_RANGE = re.compile(
    r"[a-z*/+.-]+(\s*;\s*(version=\d{1,3}(\.\d{1,3}){0,2}|escaping=[\w-]+|charset=utf-8|q=[\d.]+))*"
)


class Metrics(Collector):
    """A collector for a registry of `prometheus_client`: `REGISTRY.register(auth.metrics)`.

    Needs the extra `metrics`. Each worker process counts for itself, so every series has its `pid`. A registry takes
    the metrics of one `JWTAuth`; a process that has several gives each a registry of its own.
    """

    def __init__(self, tallies: Tallies, cache: Cache, *, guarded: bool) -> None:
        self._tallies = tallies
        self._cache = cache
        self._guarded = guarded

    def collect(self) -> Iterator[Metric]:
        """Yield the metric families, with the counts of this moment.

        Raises:
            ImportError: `prometheus_client` is not installed.
        """
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        pid = str(os.getpid())
        requests = CounterMetricFamily(
            f"{_PREFIX}requests", "Requests by what became of them.", labels=("outcome", "reason", "issuer", "pid")
        )
        for outcome, reason, issuer, number in self._tallies.requests(guarded=self._guarded):
            requests.add_metric((outcome, reason, issuer, pid), number)
        yield requests
        for kind, name, meaning, number in (
            (CounterMetricFamily, "cache_hits", "Requests whose token was remembered.", self._tallies.hits),
            (CounterMetricFamily, "cache_misses", "Requests whose good token was verified.", self._tallies.misses),
            (CounterMetricFamily, "cache_evictions", "Revocations that the cache was told of.", self._cache.epoch),
            (GaugeMetricFamily, "cache_entries", "Tokens in memory.", len(self._cache)),
            (GaugeMetricFamily, "cache_bytes", "Memory that they take, about.", self._cache.size),
        ):
            family = kind(_PREFIX + name, meaning, labels=("pid",))
            family.add_metric((pid,), number)
            yield family


class Process(Collector):
    """What `prometheus_client` knows of the process: memory, processor time, files, and the Python that it runs."""

    def collect(self) -> Iterator[Metric]:
        """Yield its families, each series with our `pid` besides."""
        from prometheus_client import PLATFORM_COLLECTOR, PROCESS_COLLECTOR

        pid = str(os.getpid())
        for collector in (PROCESS_COLLECTOR, PLATFORM_COLLECTOR):
            for given in collector.collect():
                family = copy.copy(given)
                family.samples = [sample._replace(labels={**sample.labels, "pid": pid}) for sample in given.samples]
                yield family


def exposition(metrics: Metrics, accept: Sequence[str]) -> tuple[str, bytes]:
    """Return content type and text of all that is known of this process.

    Args:
        metrics: our counts.
        accept: the media ranges that the client accepts; those that we do not understand are passed over.
    """
    from prometheus_client import CollectorRegistry
    from prometheus_client.exposition import choose_encoder

    registry = CollectorRegistry(auto_describe=False)
    registry.register(metrics)
    registry.register(Process())
    encode, content_type = choose_encoder(",".join(filter(_MEDIA_RANGE.fullmatch, accept)))
    return content_type, encode(registry)
