"""Front-ends: from a waveform to features, and the store that keeps them."""
