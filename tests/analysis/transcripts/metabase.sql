-- client: Metabase (PostgreSQL driver)
-- recorded: written after the public source (metabase/driver/postgres.clj), shortened; not recorded from Metabase

-- sync: tables
SELECT n.nspname AS schema, c.relname AS name,
    CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'p' THEN 'PARTITIONED TABLE' WHEN 'v' THEN 'VIEW' WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE NULL END AS type,
    d.description AS description
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
LEFT JOIN pg_catalog.pg_description AS d ON c.oid = d.objoid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass
WHERE c.relkind IN ('r', 'p', 'v', 'f', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
ORDER BY type ASC, schema ASC, name ASC;

-- sync: fields
SELECT c.column_name AS name, c.udt_name AS database_type, c.ordinal_position - 1 AS database_position, c.table_schema, c.table_name,
    pk.column_name IS NOT NULL AS pk, COL_DESCRIPTION(CAST(CAST({bi.fact_finding} AS INT) AS INT), c.ordinal_position) AS field_comment
FROM information_schema.columns AS c
LEFT JOIN (
    SELECT tc.table_schema, tc.table_name, kc.column_name
    FROM information_schema.table_constraints AS tc
    INNER JOIN information_schema.key_column_usage AS kc
        ON tc.constraint_name = kc.constraint_name AND tc.table_schema = kc.table_schema AND tc.table_name = kc.table_name
    WHERE tc.constraint_type = 'PRIMARY KEY'
) AS pk ON c.table_schema = pk.table_schema AND c.table_name = pk.table_name AND c.column_name = pk.column_name
WHERE c.table_schema = 'bi' AND c.table_name = 'fact_finding'
ORDER BY c.table_schema, c.table_name, c.ordinal_position;

-- sync: foreign keys
SELECT fk_ns.nspname AS "fk-table-schema", fk_table.relname AS "fk-table-name", fk_column.attname AS "fk-column-name",
    pk_ns.nspname AS "pk-table-schema", pk_table.relname AS "pk-table-name", pk_column.attname AS "pk-column-name"
FROM pg_constraint AS c
INNER JOIN pg_class AS fk_table ON c.conrelid = fk_table.oid
INNER JOIN pg_namespace AS fk_ns ON c.connamespace = fk_ns.oid
INNER JOIN pg_attribute AS fk_column ON c.conrelid = fk_column.attrelid
INNER JOIN pg_class AS pk_table ON c.confrelid = pk_table.oid
INNER JOIN pg_namespace AS pk_ns ON pk_table.relnamespace = pk_ns.oid
INNER JOIN pg_attribute AS pk_column ON c.confrelid = pk_column.attrelid
WHERE fk_ns.nspname !~ '^information_schema|catalog_history|pg_' AND c.contype = 'f'
    AND fk_column.attnum = ANY(c.conkey) AND pk_column.attnum = ANY(c.confkey)
ORDER BY fk_ns.nspname, fk_table.relname;

-- fingerprints
SELECT SUBSTRING("bi"."dim_customer"."customer_name" FROM 1 FOR 1234) AS "substring" FROM "bi"."dim_customer" LIMIT 10000;

-- a question: money by month
SELECT DATE_TRUNC('month', "bi"."fact_finding"."quarter_start") AS "quarter_start", SUM("bi"."fact_finding"."leakage") AS "sum"
FROM "bi"."fact_finding" GROUP BY DATE_TRUNC('month', "bi"."fact_finding"."quarter_start") ORDER BY DATE_TRUNC('month', "bi"."fact_finding"."quarter_start") ASC;
