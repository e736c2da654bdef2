"""SQL about what came of mail, asked of the copy for analysts.

`session`  the open copy, with its limits: a statement → a result, or why it is refused
`values`   a value as JSON, as CSV and for a terminal (pure)
`tables`   a result for people: a table, records, bars
`files`    a result for programs: CSV, JSON, Parquet
`words`    what there is: tables, columns and their meaning
`prompt`   one question after the other
"""
