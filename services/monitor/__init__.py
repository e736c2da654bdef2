"""monitor: looks at the whole, raises alarms, and answers those who watch by HTTP.

Asks       every process on `postroad.status`, and the broker for its consumers and streams, every
           5 seconds and when somebody wants to know; hears `postroad.alarm`, on which services tell
           what raises or ends an alarm the moment it happens
Emits      alarms, to the command, the webhook and the handlers of `[alarm]`; metrics
Settings   `[telemetry]` host, port, otlp_endpoint, metrics_interval; `[alarm]`

Answers    `GET /healthz`  200 while not down, 503 when down
           `GET /readyz`   200 when the road is ready, else 503
                           both with what `postroad status --json` says, as of a moment ago
           `GET /metrics`  metrics as text for Prometheus
           anything else   404, 405, and what is no HTTP 400, 408, 413 or 431
           No address, token or secret stands in any of it, but names of sources and relays do.

Promises
    - What raises an alarm is one table (`postroad/runtime/alarms/table.py`). Each is told once,
      again where its reason changes, and once when it is well. What was told, and by which way,
      lies in `state_dir/alarms.json`: nothing is told again after a restart, and who could not
      be told is tried again while the reason stands.
    - Nothing is parked without an alarm: DEADLETTER is looked at, not a process asked, so it does
      not matter who was away when it happened.
    - While the monitor gives no sign of life for 30 seconds, or is left out (`--only`), the
      supervisor of `postroad up` does all that but HTTP, and tells that the monitor is
      away (ADR 26).

Failure    A port that cannot be had: tried again, `postroad status` warns of it.
           The broker away: told after 30 seconds; HTTP answers 503 meanwhile, metrics are the disk,
           the counts of before, and `postroad_broker_up 0`.
           A collector that is away: tried again with the next metrics; nothing waits for it.
           Several monitors on machines of their own: each tells.

Where      on loopback, without login: it is for a Prometheus on the same machine, or a proxy.

Files      series      what was seen → series (pure)
           answers     a request → a response (pure)
           kept        what was counted, in a file
           exposition  series → text for Prometheus
           collector   series → OTLP
           service     the rest
"""
