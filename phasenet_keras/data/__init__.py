"""What a network sees: preprocessing and windows, the same for training and picking."""
