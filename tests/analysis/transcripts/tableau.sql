-- client: Tableau (PostgreSQL connector, by JDBC)
-- recorded: written after Tableau's published capability names and community logs; not recorded from Tableau. It probes for temporary tables, and goes on without

-- connect
SET extra_float_digits TO 3;

-- connect: no rows
SELECT NULL, NULL, NULL;

-- a table's columns
SELECT * FROM "bi"."fact_finding" LIMIT 0;

-- a sheet
SELECT "fact_finding"."signal" AS "signal", SUM("fact_finding"."leakage") AS "sum:leakage:ok" FROM "bi"."fact_finding" "fact_finding" GROUP BY 1;

-- a quick filter
SELECT "fact_finding"."currency" AS "currency" FROM "bi"."fact_finding" "fact_finding" GROUP BY 1 ORDER BY 1 ASC NULLS FIRST;

-- a relation
SELECT "dim_customer"."customer_name" AS "customer_name", SUM("fact_finding"."leakage") AS "sum:leakage:ok"
FROM "bi"."fact_finding" "fact_finding" INNER JOIN "bi"."dim_customer" "dim_customer" ON ("fact_finding"."customer_key" = "dim_customer"."customer_key") GROUP BY 1;
