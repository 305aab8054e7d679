"""One MongoEngine aggregate per file, each with its own verbs. Import from the files, not from here."""
