-- Functions of the engine are not listed: no tool calls them by name.
SELECT
    'shortfall' AS specific_catalog,
    name AS specific_schema,
    name AS specific_name,
    'shortfall' AS routine_catalog,
    name AS routine_schema,
    name AS routine_name,
    'FUNCTION' AS routine_type,
    CAST(NULL AS VARCHAR) AS data_type,
    CAST(NULL AS VARCHAR) AS routine_definition,
    CAST(NULL AS VARCHAR) AS external_language
FROM namespace
WHERE false
