"""Turn raw reviews into the channels of a training job (paper, section 2)."""
