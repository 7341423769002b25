SELECT
    'shortfall' AS constraint_catalog,
    c.schema AS constraint_schema,
    c.name AS constraint_name,
    'shortfall' AS table_catalog,
    r.schema AS table_schema,
    r.name AS table_name,
    CASE c.kind WHEN 'p' THEN 'PRIMARY KEY' ELSE 'FOREIGN KEY' END AS constraint_type,
    'NO' AS is_deferrable,
    'NO' AS initially_deferred,
    'YES' AS enforced
FROM constrained AS c
JOIN relation AS r ON r.oid = c.relation
