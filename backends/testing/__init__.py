"""The backend contract as a product: numbered rules, checks, a pytest plugin and a conformance report.

    pytest --pyargs batchai_scenario.backends.testing --backend NAME[:option=value] --conformance-report DIR

``rules`` holds the rules as data; ``checks`` proves them with plain functions that need no test framework
(``runner`` runs them); ``plugin`` is the thin layer for pytest; ``report`` writes the page.
"""
