-- fact: onset_event
-- grain: something that happened to a customer and service (or to a whole customer, or a whole service) in a month
-- meaning: what a leak that began then may come from: PSA, list and vendor prices that moved, terms and contracts that were renewed,
--   another system that bills or delivers, the first data, users and devices that came and went. `source` tells which export shows
--   it: where `source_row` is empty, the rows of that source for customer, service and month do
-- reads: facts.contract_event, facts.price_event, facts.usage_month, facts.billed_line, facts.subject_keyed, facts.customer_alias,
--   known.contract_terms, core_history.contract
WITH seen AS (
  SELECT customer_key, service_key, 'usage' AS source, system, min(month) AS first, max(month) AS last
  FROM facts.usage_month WHERE category = 'usage' AND customer_key IS NOT NULL AND service_key IS NOT NULL
  GROUP BY customer_key, service_key, system
  UNION ALL
  SELECT customer_key, service_key, 'invoice', system, min(month), max(month)
  FROM facts.billed_line WHERE kind IN ('recurring', 'usage') AND customer_key IS NOT NULL AND service_key IS NOT NULL
  GROUP BY customer_key, service_key, system
),
placed AS (
  SELECT *, min(first) OVER (PARTITION BY source, system) AS system_first, max(last) OVER (PARTITION BY source, system) AS system_last,
         lag(system) OVER line AS system_before, lag(last) OVER line AS last_before,
         row_number() OVER line AS place, count(*) OVER (PARTITION BY customer_key, service_key, source) AS places
  FROM seen
  WINDOW line AS (PARTITION BY customer_key, service_key, source ORDER BY first, last, system)
),
appeared AS (
  SELECT customer_key, service_key, source, system, system_before,
         unnest(make_array(
           named_struct('event', CASE WHEN place = 1 AND first = system_first THEN 'first_record'
                                      WHEN place = 1 AND source = 'usage' THEN 'delivery_began'
                                      WHEN last_before IN (CAST(first - INTERVAL '1 month' AS DATE), first) AND last > last_before
                                        THEN 'source_migration' END,
                        'month', first),
           named_struct('event', CASE WHEN source = 'usage' AND place = places AND last < system_last THEN 'delivery_ended' END,
                        'month', CAST(last + INTERVAL '1 month' AS DATE)))) AS it
  FROM placed
),
subject AS (
  SELECT customer_key, service_key, subject_id, event_at, system, batch_id, source_row,
         CASE event WHEN 'resumed' THEN 'provisioned' WHEN 'deprovisioned' THEN 'cancelled' ELSE event END AS event
  FROM facts.subject_keyed
  -- What a system's first list shows was there before.
  WHERE event IN ('provisioned', 'resumed', 'suspended', 'cancelled', 'deprovisioned')
    AND (known_from IS NULL OR known_from < CAST(event_at AS DATE))
),
term AS (
  SELECT *, lag(unit_price) OVER line AS price_before, lag(customer_key) OVER line AS key_before
  FROM known.contract_terms
  WINDOW line AS (PARTITION BY customer_key, service_key ORDER BY valid_from NULLS FIRST)
),
escalated AS (
  SELECT *, unnest(generate_series(CAST(date_trunc('month', coalesce(valid_from, $first_day)) AS DATE),
                                   least(CAST(date_trunc('month', valid_to - INTERVAL '1 microsecond') AS DATE), $last_month), INTERVAL '1 month')) AS month
  FROM known.contract_terms WHERE escalator_percent > 0
),
period AS (
  SELECT *, lag(effective_to) OVER (PARTITION BY system, contract_id ORDER BY recorded_at, batch_id) AS end_before FROM core_history.contract
),
united AS (
  SELECT customer_key, service_key, month, happened_on, event, value_before, value_after, detail, system, 'contract' AS source, batch_id, source_row
  FROM facts.contract_event
  UNION ALL
  SELECT customer_key, service_key, month, happened_on, event, value_before, value_after, detail, system, source, batch_id, source_row
  FROM facts.price_event
  UNION ALL
  SELECT customer_key, service_key, it['month'], it['month'], it['event'], NULL, NULL,
         CASE WHEN it['event'] = 'source_migration' THEN system_before ELSE '' END, system, source, NULL, NULL
  FROM appeared WHERE it['event'] IS NOT NULL
  UNION ALL
  SELECT customer_key, service_key, CAST(date_trunc('month', event_at) AS DATE), CAST(min(event_at) AS DATE), event, NULL,
         CAST(count(DISTINCT subject_id) AS DECIMAL(38, 18)), '', first_value(system ORDER BY event_at, batch_id, source_row), 'lifecycle',
         first_value(batch_id ORDER BY event_at, batch_id, source_row), first_value(source_row ORDER BY event_at, batch_id, source_row)
  FROM subject GROUP BY customer_key, service_key, CAST(date_trunc('month', event_at) AS DATE), event
  UNION ALL
  SELECT customer_key, service_key, CAST(date_trunc('month', valid_from) AS DATE), CAST(valid_from AS DATE),
         CASE WHEN unit_price > price_before THEN 'contract_price_up' WHEN unit_price < price_before THEN 'contract_price_down' ELSE 'renewal' END,
         CASE WHEN unit_price <> price_before THEN price_before END, CASE WHEN unit_price <> price_before THEN unit_price END,
         CASE WHEN unit_price <> price_before THEN coalesce(currency, '') ELSE 'new terms took the place of the former' END,
         system, 'terms', batch_id, source_row
  FROM term WHERE key_before IS NOT NULL AND valid_from IS NOT NULL
  UNION ALL
  SELECT customer_key, service_key, CAST(month AS DATE), CAST(month AS DATE), 'escalator', NULL, escalator_percent, '', system, 'terms', batch_id, source_row
  FROM escalated
  WHERE date_part('month', month) = TRY_CAST(coalesce(nullif(split_part(escalator_month, '-', 2), ''), escalator_month) AS INT)
    AND CAST(month AS TIMESTAMP) > valid_from
  UNION ALL
  SELECT DISTINCT customer.customer_key, NULL, CAST(date_trunc('month', period.end_before) AS DATE), CAST(period.end_before AS DATE), 'renewal', NULL, NULL,
         'contract ' || period.contract_id || ' went on after the end of its period', period.system, 'contract', period.batch_id, period.source_row
  FROM period
  JOIN facts.customer_alias AS customer ON period.system = customer.system AND normalise_id(period.customer_native_id) = customer.native_id
  WHERE period.end_before IS NOT NULL AND (period.effective_to IS NULL OR period.effective_to > period.end_before)
)
SELECT customer_key, service_key, CAST(month AS DATE) AS month, CAST(happened_on AS DATE) AS happened_on, event, value_before, value_after, detail, system, source,
       batch_id, source_row
FROM united
WHERE month <= $last_month
