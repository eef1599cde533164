"""The image of the Microsoft Cognitive Toolkit, for CPUs."""
