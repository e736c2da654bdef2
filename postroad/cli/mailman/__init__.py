"""What a Mailman knows, read from its own files, and what becomes of it here. Pure, but for the
reading of files in `sources`.

    mailman3 answers   `answers`  }             `settings` -> typed settings, and a report
    config.pck         `configpck` } `form.OldList`
    members files      `rosters`  }             people -> rows of an import
"""
