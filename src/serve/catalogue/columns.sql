SELECT
    'shortfall' AS table_catalog,
    r.schema AS table_schema,
    r.name AS table_name,
    a.name AS column_name,
    CAST(a.number AS INT) AS ordinal_position,
    CAST(NULL AS VARCHAR) AS column_default,
    CASE WHEN a.is_nullable THEN 'YES' ELSE 'NO' END AS is_nullable,
    a.standard_name AS data_type,
    CAST(NULL AS INT) AS character_maximum_length,
    CAST(NULL AS INT) AS character_octet_length,
    CASE
        WHEN a.type_name = 'numeric' AND a.modifier > 0 THEN CAST((a.modifier - 4) >> 16 AS INT)
        WHEN a.type_name = 'int2' THEN CAST(16 AS INT)
        WHEN a.type_name = 'int4' THEN CAST(32 AS INT)
        WHEN a.type_name = 'int8' THEN CAST(64 AS INT)
        WHEN a.type_name = 'float4' THEN CAST(24 AS INT)
        WHEN a.type_name = 'float8' THEN CAST(53 AS INT)
    END AS numeric_precision,
    CASE
        WHEN a.type_name = 'numeric' THEN CAST(10 AS INT)
        WHEN a.type_name IN ('int2', 'int4', 'int8', 'float4', 'float8') THEN CAST(2 AS INT)
    END AS numeric_precision_radix,
    CASE
        WHEN a.type_name = 'numeric' AND a.modifier > 0 THEN CAST((a.modifier - 4) & 65535 AS INT)
        WHEN a.type_name IN ('int2', 'int4', 'int8') THEN CAST(0 AS INT)
    END AS numeric_scale,
    CASE
        WHEN a.type_name = 'date' THEN CAST(0 AS INT)
        WHEN a.type_name IN ('timestamp', 'timestamptz', 'time') THEN CAST(6 AS INT)
    END AS datetime_precision,
    CAST(NULL AS VARCHAR) AS interval_type,
    CAST(NULL AS INT) AS interval_precision,
    CAST(NULL AS VARCHAR) AS character_set_name,
    CAST(NULL AS VARCHAR) AS collation_name,
    CAST(NULL AS VARCHAR) AS domain_catalog,
    CAST(NULL AS VARCHAR) AS domain_schema,
    CAST(NULL AS VARCHAR) AS domain_name,
    'shortfall' AS udt_catalog,
    'pg_catalog' AS udt_schema,
    a.type_name AS udt_name,
    CAST(a.number AS VARCHAR) AS dtd_identifier,
    'NO' AS is_self_referencing,
    'NO' AS is_identity,
    CAST(NULL AS VARCHAR) AS identity_generation,
    'NEVER' AS is_generated,
    CAST(NULL AS VARCHAR) AS generation_expression,
    'NO' AS is_updatable
FROM attribute AS a
JOIN relation AS r ON r.oid = a.relation
WHERE r.kind IN ('r', 'v')
