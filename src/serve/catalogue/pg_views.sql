SELECT schema AS schemaname, name AS viewname, 'postgres' AS viewowner, CAST(NULL AS VARCHAR) AS definition
FROM relation
WHERE kind = 'v'
