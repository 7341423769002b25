SELECT
    'shortfall' AS catalog_name,
    name AS schema_name,
    'postgres' AS schema_owner,
    CAST(NULL AS VARCHAR) AS default_character_set_catalog,
    CAST(NULL AS VARCHAR) AS default_character_set_schema,
    CAST(NULL AS VARCHAR) AS default_character_set_name,
    CAST(NULL AS VARCHAR) AS sql_path
FROM namespace
