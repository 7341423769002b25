SELECT oid, name AS nspname, CAST(10 AS INT) AS nspowner, arrow_cast(NULL, 'List(Utf8)') AS nspacl
FROM namespace
