-- history: source
-- grain: what is said x system x customer x service x month x currency of the quarter
-- meaning: what vendors, PSA and billing system say, each by itself; ids stand for customers and services that no crosswalk knows
-- reads: facts.usage_month, facts.billed_line, facts.contract_segment, facts.customer_alias, facts.service_alias
WITH keyed AS (
  SELECT segment.system, coalesce(customer.customer_key, segment.customer_native_id) AS by_customer,
         coalesce(service.service_key, segment.native_sku) AS by_service, segment.currency, segment.quantity, segment.from_day, segment.to_day
  FROM facts.contract_segment AS segment
  LEFT JOIN facts.customer_alias AS customer
    ON segment.system = customer.system AND normalise_id(segment.customer_native_id) = customer.native_id AND customer.valid_to IS NULL
  LEFT JOIN facts.service_alias AS service
    ON segment.system = service.system AND normalise_id(segment.native_sku) = service.native_sku AND service.valid_to IS NULL
  WHERE (segment.to_day IS NULL OR (segment.to_day > segment.from_day AND segment.to_day > $quarter_start))
    AND segment.from_day < $last_month + INTERVAL '1 month'
),
committed AS (
  SELECT *, unnest(generate_series(
    greatest(CAST(date_trunc('month', from_day) AS DATE), $quarter_start),
    least(CAST(date_trunc('month', to_day - INTERVAL '1 day') AS DATE), $last_month), INTERVAL '1 month')) AS month
  FROM keyed
)
SELECT 'usage' AS said_by, system, coalesce(customer_key, customer_native_id) AS customer_key, coalesce(service_key, native_sku) AS service_key,
       month, currency,
       sum(CASE WHEN measure = 'level'
                THEN day_weighted(quantity, CAST(from_day AS TIMESTAMP), CAST(to_day AS TIMESTAMP), month) ELSE quantity END) AS quantity,
       sum(cost) AS money
FROM facts.usage_month
WHERE month BETWEEN $quarter_start AND $last_month
GROUP BY 1, 2, 3, 4, 5, 6
UNION ALL
SELECT 'invoice', system, coalesce(customer_key, customer_native_id), coalesce(service_key, native_sku), month, currency, sum(quantity), sum(amount)
FROM facts.billed_line
WHERE month BETWEEN $quarter_start AND $last_month
GROUP BY 1, 2, 3, 4, 5, 6
UNION ALL
SELECT 'contract', system, by_customer, by_service, CAST(month AS DATE), currency,
       sum(day_weighted(quantity, CAST(from_day AS TIMESTAMP), CAST(coalesce(to_day, CAST(month AS DATE) + INTERVAL '1 month') AS TIMESTAMP),
                        CAST(month AS DATE))),
       CAST(NULL AS DECIMAL(38, 18))
FROM committed
GROUP BY 1, 2, 3, 4, 5, 6
