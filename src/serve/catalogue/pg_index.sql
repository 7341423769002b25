SELECT
    index AS indexrelid,
    relation AS indrelid,
    CAST(cardinality(columns) AS SMALLINT) AS indnatts,
    CAST(cardinality(columns) AS SMALLINT) AS indnkeyatts,
    true AS indisunique,
    false AS indnullsnotdistinct,
    true AS indisprimary,
    false AS indisexclusion,
    true AS indimmediate,
    false AS indisclustered,
    true AS indisvalid,
    false AS indcheckxmin,
    true AS indisready,
    true AS indislive,
    false AS indisreplident,
    columns AS indkey,
    array_repeat(CAST(0 AS INT), CAST(cardinality(columns) AS BIGINT)) AS indcollation,
    array_repeat(CAST(0 AS INT), CAST(cardinality(columns) AS BIGINT)) AS indclass,
    array_repeat(CAST(0 AS SMALLINT), CAST(cardinality(columns) AS BIGINT)) AS indoption,
    CAST(NULL AS VARCHAR) AS indexprs,
    CAST(NULL AS VARCHAR) AS indpred
FROM constrained
WHERE kind = 'p'
