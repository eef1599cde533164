"""What the programs of this folder share: how they report, how they lock, how they get wheels."""
