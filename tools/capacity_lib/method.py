"""How it was measured, for the reader of a report: HTML, one note each."""

NOTES = (
    "<b>The knee</b> is the highest offered rate that was sent in full (at least 99 % of it: with less, more than one request "
    "in a hundred was late before it was sent) and answered with a p99 within the promise, in the middle of its repeats. The search "
    "climbs by half, then halves the gap down to 4 %; a rate is given up after two bad answers.",
    "<b>Offered rates</b> are open-loop: requests leave whether or not replies have come. memtier_benchmark's --rate-limiting sends each "
    "connection's share in a burst every 20 ms; eight processes, started 2.5 ms apart, spread these bursts, and up to a second's worth "
    "of requests may be under way on each connection. Latency counts from the moment a request is handed to its connection. "
    "What remains of coordinated omission: a request that memtier could not send within its 20 ms is not made up for later and has no "
    "latency; the 99 % rule above bounds how many those are. In a closed loop omission is inherent: a server that "
    "pauses also pauses its clients, so take those percentiles as what such clients see, no more.",
    "<b>Repeats</b> are shown as their median with the lowest and the highest in brackets; figures of several servers were taken in turn, "
    "step by step. Steps with an error reply, a lost connection or an interruption are not counted.",
    "<b>Percentiles</b> come from memtier's HdrHistograms, added up over its processes. By the second, only the worst process' p99 is known.",
    "<b>Write amplification</b> is what the server's process wrote to its disk during the long run and the background work that followed, "
    "for each byte of write commands that clients sent. The kernel counts pages when they are dirtied.",
    "<b>Bytes per key</b> are the growth of memory and disk while the data was loaded, divided by the keys; memory holds write buffers and "
    "caches too.",
    "<b>Memory and disk</b> that the kernel's page cache serves are not disk reads: with much free memory a data set larger than the "
    "server's memory setting may still never touch the device.",
    "<b>What gives first</b> is judged at the closed-loop step with the most operations a second, from the processor time of each group of "
    "threads, of the machine, of the load generator and of other programs, from write stalls, and from waits in the slow lane and for the disk.",
)
