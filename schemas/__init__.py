"""Every message that crosses a process boundary: data only, no behaviour.

`envelope`  what every stored message looks like
`mail`      what we know of a mail's bytes: header facts, RAW references, header edits
`road`      events of the road: received, routed, queued, delivered, parked
`lists`     events and settings of a list
`membership` events of one person on one list
`people`    the only record that holds an address for good
`subjects`  streams, subjects, durables and who may publish what
`codec`     bytes to events and back, with upcasting
"""
