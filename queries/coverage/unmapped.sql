-- coverage: unmapped
-- unit: ids and months of vendor usage in the quarter
-- grain: system x native customer x SKU x month x currency
-- meaning: every id that a vendor charges for; usage without a cost is counted, but cannot be priced
-- reads: facts.usage_month
SELECT customer_key, service_key, currency, CASE WHEN count(cost) = 0 AND (customer_key IS NULL OR service_key IS NULL) THEN 'no_cost' END AS untested, sum(cost) AS money
FROM facts.usage_month
WHERE month BETWEEN $quarter_start AND $last_month
GROUP BY system, customer_native_id, native_sku, month, currency, customer_key, service_key
