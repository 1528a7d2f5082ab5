"""How a network is used: from probabilities to picks, from files to tables of picks."""
