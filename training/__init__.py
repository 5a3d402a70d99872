"""Training of encoders: the only place that may import TensorFlow and Keras (extra `train`)."""
