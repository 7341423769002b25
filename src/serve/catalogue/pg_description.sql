-- 1259 is pg_class: comments of tables, and of their columns.
SELECT oid AS objoid, CAST(1259 AS INT) AS classoid, CAST(0 AS INT) AS objsubid, comment AS description
FROM relation
WHERE comment IS NOT NULL
UNION ALL
SELECT relation, CAST(1259 AS INT), CAST(number AS INT), comment
FROM attribute
WHERE comment IS NOT NULL
