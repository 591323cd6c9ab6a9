"""What is served: live releases, the embedders that they need, documents that callers change."""
