"""The Microsoft Cognitive Toolkit, from wheels."""
