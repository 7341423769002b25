-- fact: terms_month
-- grain: customer x service x month
-- meaning: written terms in force, with their days
-- reads: known.contract_terms
WITH spread AS (
  SELECT *, unnest(generate_series(
    CAST(date_trunc('month', coalesce(valid_from, $first_day)) AS DATE),
    least(CAST(date_trunc('month', valid_to - INTERVAL '1 microsecond') AS DATE), $last_month),
    INTERVAL '1 month')) AS month
  FROM known.contract_terms
)
SELECT customer_key, service_key, CAST(month AS DATE) AS month, min(currency) AS currency,
       array_agg(named_struct(
         'from_day', CAST(coalesce(valid_from, $first_day) AS DATE), 'to_day', CAST(valid_to AS DATE), 'model', model,
         'flat_fee', flat_fee, 'unit_price', unit_price, 'included_quantity', included_quantity,
         'minimum_quantity', minimum_quantity, 'quantity_basis', quantity_basis,
         'overage_unit_price', overage_unit_price, 'tiers', tiers, 'markup_percent', markup_percent,
         'escalator_percent', escalator_percent, 'escalator_month', escalator_month, 'proration', proration)) AS terms
FROM spread
GROUP BY customer_key, service_key, CAST(month AS DATE)
