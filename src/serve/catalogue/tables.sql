SELECT
    'shortfall' AS table_catalog,
    schema AS table_schema,
    name AS table_name,
    CASE kind WHEN 'v' THEN 'VIEW' ELSE 'BASE TABLE' END AS table_type,
    CAST(NULL AS VARCHAR) AS self_referencing_column_name,
    CAST(NULL AS VARCHAR) AS reference_generation,
    CAST(NULL AS VARCHAR) AS user_defined_type_catalog,
    CAST(NULL AS VARCHAR) AS user_defined_type_schema,
    CAST(NULL AS VARCHAR) AS user_defined_type_name,
    'NO' AS is_insertable_into,
    'NO' AS is_typed,
    CAST(NULL AS VARCHAR) AS commit_action
FROM relation
WHERE kind IN ('r', 'v')
