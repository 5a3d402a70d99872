"""The same product at another seller, in another feed or group: candidates, features of a pair, a calibrated probability."""
