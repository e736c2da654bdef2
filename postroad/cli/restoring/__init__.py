"""Coming back from a backup: `postroad restore`, `postroad resume`.

Files      place       an empty place for the streams, taken over as a whole when they are there
           outstanding what would go out, by the ledger
           skipping    copies that are told to have failed instead of being sent
           erasures    people who were erased since the backup
"""
