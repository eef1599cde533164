"""Write a training scenario once; run it on a faithful stand-in for Azure Batch AI, or on a real cluster.

The one import package of this project. Its rooms are the folders of the repository, linked here:
``batchai_scenario.backends``, ``.emulator``, ``.scenarios``, ``.schema`` and ``.training``.
"""

__version__ = "0.2.0"
"""As in pyproject.toml; written here because looking it up takes longer than anything else at the start."""
