"""Raw reviews -> clean interactions -> splits."""
