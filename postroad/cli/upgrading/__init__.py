"""Whether this release reads what an earlier one wrote: `postroad upgrade --check`.

Files      outcome      what messages become in this release, summed (pure)
           tables       rows as DuckDB has them
           golden       logs of earlier releases, with what they became then
           logs/        these logs, one a release
           own          the events of this system
"""
