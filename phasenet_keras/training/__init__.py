"""How a network learns: strategies, training, evaluation."""
