"""The commands, one file for each verb or small family of verbs."""
