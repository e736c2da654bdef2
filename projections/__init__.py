"""Events as tables, in DuckDB.

`change`   what a fold wants done: data
`roster`   MEMBERSHIP and PEOPLE: who is on which list, now and at any earlier moment (pure);
           what is asked of it stands in `rosterqueries` (pure)
`store`    the owner of one file: rows and position in one transaction
"""
