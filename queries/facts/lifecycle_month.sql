-- fact: lifecycle_month
-- grain: customer x service x month
-- meaning: which users and devices were active and which suspended, with their days. A removed one is followed for a year. What lists
--   show counts from the system's first list on, as those who had left before stand in none; a month is complete if it begins with it. As a list
--   may be filtered or one page of several, it completes no month of which a vendor tells too: it limits nothing that is delivered
-- reads: facts.subject_keyed, facts.delivered_month
WITH event AS (
  SELECT DISTINCT customer_key, service_key, subject_id, event, greatest(CAST(event_at AS DATE), known_from) AS event_day, event_at, known_from
  FROM facts.subject_keyed
  WHERE event IN ('provisioned', 'resumed', 'suspended', 'cancelled', 'deprovisioned', 'not_billable')
),
state AS (
  SELECT *, event IN ('provisioned', 'resumed') AS is_active,
         lead(event_day) OVER (PARTITION BY customer_key, service_key, subject_id ORDER BY event_at, event) AS next_day,
         first_value(event) OVER (PARTITION BY customer_key, service_key, subject_id ORDER BY event_at, event) AS first_event,
         first_value(known_from) OVER (PARTITION BY customer_key, service_key, subject_id ORDER BY event_at, event) AS first_known
  FROM event
),
span AS (
  SELECT *, CASE WHEN is_active THEN next_day ELSE coalesce(next_day, event_day + INTERVAL '1 year') END AS to_day
  FROM state
),
complete AS (
  SELECT customer_key, service_key, bool_and(first_event = 'provisioned' OR first_known IS NOT NULL) AS is_complete,
         max(first_known) AS complete_from, bool_or(first_known IS NOT NULL) AS is_listed
  FROM state GROUP BY customer_key, service_key
),
spread AS (
  SELECT *, unnest(generate_series(
    CAST(date_trunc('month', event_day) AS DATE),
    least(CAST(date_trunc('month', to_day - INTERVAL '1 day') AS DATE), $last_month),
    INTERVAL '1 month')) AS month
  FROM span
  -- Whom nobody is billed for is neither.
  WHERE (to_day IS NULL OR to_day > event_day) AND event <> 'not_billable'
),
level AS (
  SELECT customer_key, service_key, CAST(month AS DATE) AS month, is_active, event_day AS from_day, CAST(to_day AS DATE) AS to_day,
         CAST(count(*) AS DECIMAL(38, 18)) AS quantity
  FROM spread
  GROUP BY 1, 2, 3, 4, 5, 6
)
SELECT level.customer_key, level.service_key, level.month,
       bool_and(complete.is_complete AND (complete.complete_from IS NULL OR complete.complete_from <= level.month)
                AND NOT (complete.is_listed AND (delivered.flow IS NOT NULL OR delivered.levels IS NOT NULL))) AS is_complete,
       array_agg(named_struct('from_day', from_day, 'to_day', to_day, 'quantity', quantity)) FILTER (WHERE is_active) AS active,
       array_agg(named_struct('from_day', from_day, 'to_day', to_day, 'quantity', quantity)) FILTER (WHERE NOT is_active) AS suspended
FROM level
JOIN complete ON level.customer_key = complete.customer_key AND level.service_key = complete.service_key
LEFT JOIN facts.delivered_month AS delivered
  ON level.customer_key = delivered.customer_key AND level.service_key = delivered.service_key AND level.month = delivered.month
GROUP BY level.customer_key, level.service_key, level.month
