-- fact: contract_event
-- grain: customer x service x day x what changed in the PSA's contracts
-- meaning: days on which the sum of the pair's billable contract lines began, ended, rose or fell, on which its price moved, or on which another
--   contract took over (`renewal`), with the figures of before and after and the row that states it. Lines are summed before they are compared: one
--   that only moves to another line or contract changes no quantity. Prices are compared where each side has a single one
-- reads: facts.contract_keyed, facts.contract_month
WITH keyed AS (
  SELECT * EXCEPT (from_day, to_day, held_from, held_to), held_from AS from_day, held_to AS to_day
  FROM facts.contract_keyed
  WHERE coalesce(is_billable, true) AND (to_day IS NULL OR from_day IS NULL OR to_day > from_day)
),
step AS (
  SELECT customer_key, service_key, system, contract_id, currency, coalesce(from_day, DATE '0001-01-01') AS day, 1 AS line, units, price, batch_id, source_row
  FROM keyed
  UNION ALL
  SELECT customer_key, service_key, system, contract_id, currency, to_day, -1, -units, price, end_batch_id, end_source_row
  FROM keyed WHERE to_day IS NOT NULL
),
-- What begins on a day tells more than what ends on it.
daily AS (
  SELECT customer_key, service_key, day, sum(coalesce(units, CAST(0 AS DECIMAL(38, 18)))) AS moved, sum(line) AS lines_moved,
         min(price) FILTER (WHERE line = 1) AS price_after, max(price) FILTER (WHERE line = 1) AS highest_after,
         min(price) FILTER (WHERE line = -1) AS price_before, max(price) FILTER (WHERE line = -1) AS highest_before,
         min(contract_id) FILTER (WHERE line = 1) AS contract_after, max(contract_id) FILTER (WHERE line = -1) AS contract_before,
         count(DISTINCT contract_id) AS contracts, count(*) FILTER (WHERE line = 1) AS begun, count(*) FILTER (WHERE line = -1) AS ended,
         max(currency) AS currency, first_value(system ORDER BY line DESC, batch_id, source_row, system) AS system,
         first_value(contract_id ORDER BY line DESC, batch_id, source_row, contract_id) AS contract_id,
         first_value(batch_id ORDER BY line DESC, batch_id, source_row) AS batch_id,
         first_value(source_row ORDER BY line DESC, batch_id, source_row) AS source_row
  FROM step
  GROUP BY customer_key, service_key, day
),
level AS (
  SELECT *, sum(moved) OVER so_far AS units_after, sum(lines_moved) OVER so_far AS lines_after
  FROM daily
  WINDOW so_far AS (PARTITION BY customer_key, service_key ORDER BY day ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
),
told AS (
  SELECT customer_key, service_key, day, system, contract_id, contract_before, contract_after, currency, batch_id, source_row,
         unnest(make_array(
           named_struct(
             'event', CASE WHEN lines_after = lines_moved AND lines_moved > 0 THEN 'contract_began'
                           WHEN lines_after = 0 THEN 'contract_ended'
                           WHEN moved > 0 THEN 'contract_quantity_up'
                           WHEN moved < 0 THEN 'contract_quantity_down' END,
             'before', CAST(units_after - moved AS DECIMAL(38, 18)), 'after', CAST(units_after AS DECIMAL(38, 18))),
           named_struct(
             'event', CASE WHEN price_after <> highest_after OR price_before <> highest_before THEN CAST(NULL AS VARCHAR)
                           WHEN price_after > price_before THEN 'contract_price_up'
                           WHEN price_after < price_before THEN 'contract_price_down' END,
             'before', CAST(price_before AS DECIMAL(38, 18)), 'after', CAST(price_after AS DECIMAL(38, 18))),
           named_struct(
             'event', CASE WHEN begun > 0 AND ended > 0 AND contracts = 2 AND contract_before <> contract_after THEN 'renewal' END,
             'before', CAST(NULL AS DECIMAL(38, 18)), 'after', CAST(NULL AS DECIMAL(38, 18))))) AS change
  FROM level
  -- A line without a beginning was always there.
  WHERE day > DATE '0001-01-01'
),
event AS (
  SELECT customer_key, service_key, CAST(date_trunc('month', day) AS DATE) AS month, day, change['event'] AS event, change['before'] AS value_before,
         change['after'] AS value_after, contract_before, contract_after, contract_id, currency, system, batch_id, source_row
  FROM told
  WHERE change['event'] IS NOT NULL AND day < $last_month + INTERVAL '1 month'
),
-- A price that moves for most customers of a service is the list's. Of several moves in a month each customer's first counts.
counted AS (
  SELECT *, count(*) FILTER (WHERE move = 1) OVER (PARTITION BY service_key, month, event) AS alike
  FROM (SELECT *, row_number() OVER (PARTITION BY customer_key, service_key, month, event ORDER BY day) AS move FROM event)
),
contracted AS (
  SELECT service_key, month, count(DISTINCT customer_key) AS customers FROM facts.contract_month GROUP BY service_key, month
)
SELECT event.customer_key, event.service_key, event.month, event.day AS happened_on, event.event, event.value_before, event.value_after,
       CASE WHEN event.event = 'renewal' THEN 'contract ' || contract_before || ' was followed by ' || contract_after
            WHEN event.event NOT LIKE 'contract_price%' THEN 'contract ' || contract_id
            WHEN contracted.customers >= 3 AND 2 * alike > contracted.customers
            THEN coalesce(currency, '') || ', as at ' || alike || ' of ' || contracted.customers || ' customers'
            ELSE coalesce(currency, '') END AS detail,
       event.system, event.batch_id, event.source_row
FROM counted AS event
LEFT JOIN contracted ON event.service_key = contracted.service_key AND event.month = contracted.month
