WITH used AS (SELECT c.*, unnest(c.columns) AS number FROM constrained AS c)
SELECT
    'shortfall' AS constraint_catalog,
    u.schema AS constraint_schema,
    u.name AS constraint_name,
    'shortfall' AS table_catalog,
    r.schema AS table_schema,
    r.name AS table_name,
    a.name AS column_name,
    CAST(array_position(u.columns, u.number) AS INT) AS ordinal_position,
    CASE u.kind WHEN 'f' THEN CAST(1 AS INT) END AS position_in_unique_constraint
FROM used AS u
JOIN relation AS r ON r.oid = u.relation
JOIN attribute AS a ON a.relation = u.relation AND a.number = u.number
