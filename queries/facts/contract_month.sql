-- fact: contract_month
-- grain: customer x service x month
-- meaning: the contract lines in force, with their days; a line of a bundle is a line of each of its services, at a share of its price
-- reads: facts.contract_keyed
WITH held AS (
  SELECT * EXCEPT (from_day, to_day, held_from, held_to), held_from AS from_day, held_to AS to_day
  FROM facts.contract_keyed
  WHERE to_day IS NULL OR to_day > from_day
),
spread AS (
  SELECT *, unnest(generate_series(
    CAST(date_trunc('month', from_day) AS DATE),
    least(CAST(date_trunc('month', to_day - INTERVAL '1 day') AS DATE), $last_month),
    INTERVAL '1 month')) AS month
  FROM held
  WHERE from_day < $last_month + INTERVAL '1 month' AND (to_day IS NULL OR to_day > from_day)
)
SELECT customer_key, service_key, CAST(month AS DATE) AS month, min(currency) AS currency,
       array_agg(named_struct(
         'from_day', from_day, 'to_day', to_day, 'quantity', units, 'included_quantity', included_units,
         'unit_price', price, 'is_billable', is_billable)) AS lines
FROM spread
GROUP BY customer_key, service_key, CAST(month AS DATE)
