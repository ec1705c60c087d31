"""A depth window of one curve or several: put side by side, in other units, resampled, binned."""
