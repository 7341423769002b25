"""Apache Superset on a running `shortfall serve`: adds the database, lists schemas, tables and columns, makes a dataset and draws one chart.

    shortfall demo --out demo && shortfall serve --lake demo/lake &
    python3 -m venv superset && superset/bin/pip install -r tests/oracle/superset_requirements.txt
    superset/bin/python tests/oracle/chart_in_superset.py postgresql+psycopg2://analyst@127.0.0.1:5439/shortfall

Superset runs in this process, with its settings in a folder that is thrown away; everything goes through its REST API, as its pages do. It prints what it
was answered and ends with an error where the chart's numbers are not those of SQL. Not part of `cargo test`: Superset is a gigabyte.
"""

import json
import os
import pathlib
import sys
import tempfile

URI = sys.argv[1]
home = tempfile.mkdtemp(prefix="superset-")
config = pathlib.Path(home, "superset_config.py")
config.write_text(
    "SECRET_KEY = 'only for this run'\n"
    f"SQLALCHEMY_DATABASE_URI = 'sqlite:///{home}/superset.db'\n"
    "WTF_CSRF_ENABLED = False\n"
    "TALISMAN_ENABLED = False\n"
)
os.environ.update(SUPERSET_HOME=home, SUPERSET_CONFIG_PATH=str(config), FLASK_APP="superset")

from superset.app import create_app  # noqa: E402

app = create_app()


def answer(response, *statuses):
    if response.status_code not in (statuses or (200, 201)):
        raise SystemExit(f"{response.request.method} {response.request.path}: {response.status_code} {response.get_data(as_text=True)[:1000]}")
    return response.get_json()


with app.app_context():
    from flask_appbuilder.security.sqla.models import User  # noqa: F401
    from flask_migrate import upgrade
    from superset import security_manager

    upgrade(directory=str(pathlib.Path(sys.modules["superset"].__file__).parent / "migrations"))
    security_manager.sync_role_definitions()
    security_manager.add_user("admin", "Ad", "Min", "admin@example.com", security_manager.find_role("Admin"), password="admin")

client = app.test_client()
token = answer(client.post("/api/v1/security/login", json={"username": "admin", "password": "admin", "provider": "db"}))["access_token"]
headers = {"Authorization": f"Bearer {token}"}

database = answer(client.post("/api/v1/database/", headers=headers, json={"database_name": "Shortfall", "sqlalchemy_uri": URI, "expose_in_sqllab": True}))["id"]
schemas = answer(client.get(f"/api/v1/database/{database}/schemas/", headers=headers))["result"]
print("schemas:", ", ".join(schemas))
tables = answer(client.get(f"/api/v1/database/{database}/tables/?q=(schema_name:bi)", headers=headers))["result"]
print("tables of bi:", ", ".join(f"{table['value']} ({table['type']})" for table in tables))
dataset = answer(client.post("/api/v1/dataset/", headers=headers, json={"database": database, "schema": "bi", "table_name": "fact_finding"}))["id"]
columns = answer(client.get(f"/api/v1/dataset/{dataset}", headers=headers))["result"]["columns"]
print("columns of bi.fact_finding:", ", ".join(f"{column['column_name']} {column['type']}" for column in columns))

metric = {"expressionType": "SIMPLE", "column": {"column_name": "leakage"}, "aggregate": "SUM", "label": "leakage"}
query = {"columns": ["signal"], "metrics": [metric], "filters": [{"col": "currency", "op": "==", "val": "USD"}], "orderby": [[metric, False]], "row_limit": 100}
chart = answer(
    client.post(
        "/api/v1/chart/",
        headers=headers,
        json={
            "slice_name": "Leakage by signal",
            "viz_type": "echarts_timeseries_bar",
            "datasource_id": dataset,
            "datasource_type": "table",
            "params": json.dumps({"x_axis": "signal", "metrics": [metric]}),
            "query_context": json.dumps({"datasource": {"id": dataset, "type": "table"}, "queries": [query], "result_format": "json", "result_type": "full"}),
        },
    )
)["id"]
drawn = answer(client.get(f"/api/v1/chart/{chart}/data/", headers=headers))["result"][0]
if drawn.get("error"):
    raise SystemExit(drawn["error"])
drawn = {row["signal"]: round(float(row["leakage"]), 2) for row in drawn["data"]}

import sqlalchemy as sa  # noqa: E402

with sa.create_engine(URI).connect() as connection:
    rows = connection.execute(sa.text("SELECT signal, sum(leakage) FROM bi.fact_finding WHERE currency = 'USD' GROUP BY 1 ORDER BY 2 DESC LIMIT 100")).fetchall()
asked = {signal: round(float(leakage), 2) for signal, leakage in rows}
print("chart:", ", ".join(f"{signal} {leakage:.2f}" for signal, leakage in drawn.items()))
if drawn != asked or not drawn:
    raise SystemExit(f"the chart is not what SQL says: {asked}")
print(f"the chart's {len(drawn)} bars are what SQL says")
