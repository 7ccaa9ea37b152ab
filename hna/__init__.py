"""The open engine for health needs assessment."""
