"""The tables of the store as they stand now; `migrations` brings an older store here."""

from sqlalchemy import Column, Double, Index, Integer, MetaData, String, Table, Text

metadata = MetaData()

meta = Table("meta", metadata, Column("name", String(40), primary_key=True), Column("value", Text, nullable=False))
nodes = Table(
    "nodes",
    metadata,
    Column("key", String(32), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("value", Text, nullable=False),
    Column("run", String(40), nullable=False),
    Column("used", Integer, nullable=False),
)
runs = Table(
    "runs",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String(40), nullable=False, unique=True),
    Column("suite", Text, nullable=False),
    Column("status", String(20), nullable=False),
    Column("started_at", String(40), nullable=False),
    Column("finished_at", String(40)),
    Column("plan_key", String(32), nullable=False),
    Column("cells", Integer, nullable=False),
    Column("snapshot", Text, nullable=False),
    Column("report", Text),
    Index("runs_by_plan", "plan_key", "status"),
)
claims = Table(
    "claims",
    metadata,
    Column("key", String(32), primary_key=True),
    Column("holder", String(40), nullable=False, index=True),
    Column("expires", Double, nullable=False),
)
results = Table(
    "results",
    metadata,
    Column("run", String(40), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("value", Text, nullable=False),
)
baselines = Table("baselines", metadata, Column("suite", Text, primary_key=True), Column("run", String(40), nullable=False))
manifests = Table("manifests", metadata, Column("name", Text, primary_key=True), Column("value", Text, nullable=False))
