"""What a run tells the person who watches it: console, log file, TensorBoard."""

from train.monitor.monitor import Monitor, NullMonitor

__all__ = ["Monitor", "NullMonitor"]
