"""LoRA for the team's own model: documents and feedback → rows → adapter → proof → served as a canary."""
