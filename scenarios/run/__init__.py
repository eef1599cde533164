"""Running a scenario: before it, the steps themselves, following its logs, its end."""
