-- fact: unmapped
-- grain: system x native customer x SKU x currency
-- meaning: cost and delivery of the quarter that the crosswalks tie to no customer or service: counted and priced, never dropped
-- reads: facts.usage_month
SELECT system, customer_native_id, native_sku, currency, customer_key IS NULL AS is_customer_unknown,
       service_key IS NULL AS is_service_unknown, sum(quantity) AS quantity, sum(cost) AS cost, sum(source_rows) AS source_rows
FROM facts.usage_month
WHERE (customer_key IS NULL OR service_key IS NULL) AND month BETWEEN $quarter_start AND $last_month
GROUP BY system, customer_native_id, native_sku, currency, customer_key IS NULL, service_key IS NULL
