"""Data, network and training loop: from a seed to an FP32 checkpoint."""
