"""What a run leaves behind: its record in the home folder, comparisons, crash reports."""
