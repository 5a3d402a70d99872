"""Learning from visitor events: from what was shown and clicked, at which place and hour, and from nothing about who did it."""
