"""What a network is: PhaseNet, its stages, its weights, its presets."""
