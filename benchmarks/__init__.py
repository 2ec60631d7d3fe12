"""Speed and idle cost of axonlike beside its peers and beside the limit, measured in one run (`python -m benchmarks`).

Reading order: `harness` (rounds, medians, tables), then one module a section: `messages`, `idle`, `fanout`,
`connects`, `imports`.
"""

__all__: list[str] = []
