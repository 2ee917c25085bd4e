"""A parsed dbt project as plain values: facts, settings, results, and the parse that is kept between runs."""
