"""The doors messages leave by: one port, an adapter for each kind of provider. Nothing but `sending` opens them [MS1]."""
