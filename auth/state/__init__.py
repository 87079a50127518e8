"""What must outlive the process: logins, issued certificates, locks. One protocol, one conformance suite."""
