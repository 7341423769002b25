-- coverage: duplicate_billing
-- unit: billed months of the quarter
-- grain: customer x service x month x currency
-- meaning: billed months of which contract or terms tell what was due
-- reads: facts.fact_monthly
SELECT customer_key, service_key, currency,
       CASE WHEN expected_revenue IS NULL AND (is_contracted OR is_delivered) THEN 'no_unit_price' END AS untested, revenue AS money
FROM facts.fact_monthly
WHERE month BETWEEN $quarter_start AND $last_month AND is_billed
