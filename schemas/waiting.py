"""What a chunk that is scheduled says of itself in its headers: whoever looks what waits need not
read whom it is for. No address stands in them."""

COPIES = "Postroad-Copies"  # that are still to be sent
RELAY = "Postroad-Relay"  # that they wait for; absent where several may take them
WHY = "Postroad-Waits"  # in plain words
DUE = "Nats-Schedule"  # the broker's own: `@at` and the time, RFC 3339
