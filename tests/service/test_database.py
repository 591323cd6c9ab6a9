"""The database is brought to the schema of the tables."""

from service.database import migrate, open_database


def test_the_database_upgrades_and_matches_the_tables(tmp_path: "object") -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from service.tables import Base

    engine = open_database(f"sqlite:///{tmp_path}/x.db")
    migrate(engine)
    migrate(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    engine.dispose()
