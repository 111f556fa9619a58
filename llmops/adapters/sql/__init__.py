"""The store in a SQL database, on SQLAlchemy Core."""
