"""The command that the Helm chart's hooks run: before and after an uninstallation, before an upgrade, and as a test."""
