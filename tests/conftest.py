"""What holds for all tests."""

from hypothesis import settings

# How long an example takes says something of the machine, not of the code.
settings.register_profile("trueup", deadline=None)
settings.load_profile("trueup")
