"""Compression: from an FP32 checkpoint to the artefacts and the bundle that `runtime` loads."""
