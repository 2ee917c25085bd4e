"""Doubts drawn at random: small dbt projects, one change of something that dbt reads, and dbt itself as the judge."""
