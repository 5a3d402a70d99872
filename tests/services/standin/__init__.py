"""An app that stands in for training: its `manage.py train` takes no TensorFlow and as long as a test wants."""
