from collections import Counter

from proxy.metrics import Metrics, total


def test_the_page_has_each_family_with_help_type_and_samples():
    metrics = Metrics(
        requests=Counter({("staging", 200): 2, ("prod", 403): 1}),
        handshake_failures=Counter({"no_certificate": 3}),
        malformed=4,
        connections=5,
    )
    assert metrics.render(log_available=False) == (
        "# HELP kwit_requests_total Requests answered, by cluster and status code.\n"
        "# TYPE kwit_requests_total counter\n"
        'kwit_requests_total{cluster="prod",code="403"} 1\n'
        'kwit_requests_total{cluster="staging",code="200"} 2\n'
        "# HELP kwit_connections Open client connections.\n"
        "# TYPE kwit_connections gauge\n"
        "kwit_connections 5\n"
        "# HELP kwit_handshake_failures_total TLS handshakes that failed, by reason.\n"
        "# TYPE kwit_handshake_failures_total counter\n"
        'kwit_handshake_failures_total{reason="no_certificate"} 3\n'
        "# HELP kwit_malformed_total Connections closed because of bytes that are not HTTP/1.1 as we accept it.\n"
        "# TYPE kwit_malformed_total counter\n"
        "kwit_malformed_total 4\n"
        "# HELP kwit_log_available 1 while the audit log can be written.\n"
        "# TYPE kwit_log_available gauge\n"
        "kwit_log_available 0\n"
    )


def test_workers_add_up():
    one = Metrics(Counter({("a", 200): 1}), Counter({"x": 1}), 1, 1)
    other = Metrics(Counter({("a", 200): 2, ("b", 403): 1}), Counter({"y": 1}), 2, 3)
    assert total([one, other]) == Metrics(Counter({("a", 200): 3, ("b", 403): 1}), Counter({"x": 1, "y": 1}), 3, 4)
    assert total([]) == Metrics()
    assert one == Metrics(Counter({("a", 200): 1}), Counter({"x": 1}), 1, 1)
