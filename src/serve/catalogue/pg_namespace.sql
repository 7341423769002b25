SELECT oid, name AS nspname, CAST(10 AS INT) AS nspowner, CAST(NULL AS VARCHAR) AS nspacl
FROM namespace
