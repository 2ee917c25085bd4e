"""A python model that needs no data frame library."""


def model(dbt, session):
    """Return a relation of DuckDB."""
    dbt.config(materialized="table")
    customers = dbt.ref("stg_customers")
    return customers.project("customer_id, length(name) as score")
