"""One small file a vendor: `recognises` / `read`."""
