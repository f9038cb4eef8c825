"""Raw reviews -> the channels of a training job (paper, section 2)."""
