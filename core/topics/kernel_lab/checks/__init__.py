"""The findings of a run for programs that read them: lines, JSON, JUnit and SARIF."""
