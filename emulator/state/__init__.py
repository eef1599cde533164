"""What the emulator remembers: one SQLite file, plain folders, and the clock."""
