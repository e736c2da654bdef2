"""projector: folds the streams into `analytics.duckdb`, and answers questions about them.

Reads      every stream that a projection names (`projections/analytics`), each once, from where the
           file stands; acknowledges nothing, for the file is the position
Answers    `postroad.projector.query`: a named question of `projections/catalog.py`
           `postroad.projector.rebuild`, `.rebuilding`: begins to fold projections anew; how far
           that is
           `postroad.projector.sums`: sums of rows, for `postroad verify`
           `postroad.projector.refresh`: makes the copies for analysts anew
Owns       `state_dir/analytics.duckdb`; one process may write it, a lock file beside it says which
Settings   `[analytics]`

Promises
    - Rows, what a fold carries on, and positions are stored in one transaction: killed anywhere,
      each event has its rows once.
    - No mail waits for it, it stores nothing in the broker, and has the least share of the
      processor (nice 10).

Rebuild    Into `analytics.duckdb.new`, while the old file is folded on and asked, which it then
           replaces. Rows of events that the streams keep no more are carried over, and so are those
           that rest on such events. Killed anywhere, the old file is as it was. A projection that
           another release has changed is folded anew by itself. Where no projector runs, the
           command does it, and folds all streams on to their ends.

Verify     `postroad verify` folds everything into `analytics.verify/`, in its own process, and
           compares counts and sums of digests up to a position that both have. What a killed one
           leaves there is removed here, at the start and once a day.

Copies     `state_dir/analytics/postroad.duckdb` and `parquet/`, every few minutes where anything
           was folded, by a program of its own; folding waits for a checkpoint alone. Where there is
           no room the old ones stay, and status says so. Where addresses are kept they are written
           anew row by row: nobody who was erased is left in what is copied.

Failure    An event of a newer release, and one that a fold fails on: counted, told in the log, and
           passed over.
           A damaged file, found at opening or later (every 2 seconds it is looked whether somebody
           else wrote to it or took it away; a question or a copy meets the rest), and one folded
           from other streams: moved aside (`analytics.duckdb.corrupt-<time>`, `.other-<time>`),
           folded anew, told by status and alarm; what lies aside stays, until an
           erasure takes it where addresses are kept.
           A stream that went back (its broker gave out what it never wrote): the rows above its end
           are taken out, what carries on is folded anew; of a large loss a copy is kept.
           No room on the disk: told, waited for; folded on when there is some.
           A second projector: ends with exit code 1 and says who has the file.

Files      keeper     one file, kept open and fed whatever happens to it
           feed       streams → folds → the file
           rebuild    streams → folds → a new file
           verify     streams → folds → a file beside, compared with the one in use
           beside     that file, from its beginning to its end
           verdict    what is told of it
           reading    one stream, from its beginning to a position
           service    what runs, and when it is ready
           endpoints  questions over NATS micro
           snapshot   the copies that analysts open
"""
