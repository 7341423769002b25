-- fact: usage_native
-- grain: native customer x SKU x month x currency, levels and charges that leave their month by their period
-- meaning: vendor usage summed where the crosswalk is not yet needed: the one pass over the largest table
-- reads: known.vendor_usage
SELECT system, customer_native_id, native_sku, service_month, currency, measure, category,
       segment_start(measure, period_start, period_end) AS from_at,
       segment_end(measure, period_start, period_end) AS to_at,
       sum(CASE WHEN category IN ('usage', 'trial') THEN quantity END) AS quantity,
       sum(cost) AS cost,
       count(*) AS source_rows
FROM known.vendor_usage
WHERE service_month <= $last_month
GROUP BY system, customer_native_id, native_sku, service_month, currency, measure, category,
         segment_start(measure, period_start, period_end), segment_end(measure, period_start, period_end)
