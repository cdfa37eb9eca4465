"""TensorRT and TensorRT for RTX: one implementation, as both libraries share their interface."""
