SELECT
    schema AS schemaname,
    name AS tablename,
    'postgres' AS tableowner,
    CAST(NULL AS VARCHAR) AS tablespace,
    has_index AS hasindexes,
    false AS hasrules,
    false AS hastriggers,
    false AS rowsecurity
FROM relation
WHERE kind = 'r'
