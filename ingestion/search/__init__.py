"""From a question to passages: candidates, fusion, a second look, diversity."""
