-- fact: expired_month
-- grain: customer x service x month x currency
-- meaning: months after the pair's last PSA contract line had ended in which something was delivered or cost money and nothing was billed, with
--   the last agreed price. Of the month in which it ended, the `open_days` after the last that an
--   invoice covers, where deliveries go on. What was never billable is none of them
-- reads: facts.fact_monthly, facts.closed_month, facts.billed_month
WITH ended AS (
  SELECT customer_key, service_key, currency, max(month) AS contracted_until,
         last_value(contract_price ORDER BY month) FILTER (WHERE contract_price IS NOT NULL) AS last_price,
         last_value(is_not_billable ORDER BY month) AS was_not_billable
  FROM facts.fact_monthly WHERE contracted_quantity IS NOT NULL
  GROUP BY customer_key, service_key, currency
)
SELECT fact.customer_key, fact.service_key, fact.month, fact.currency, ended.contracted_until, ended.last_price,
       CAST(fact.month + INTERVAL '1 month' AS DATE) - fact.month AS open_days
FROM ended
JOIN facts.fact_monthly AS fact
  ON ended.customer_key = fact.customer_key AND ended.service_key = fact.service_key AND ended.currency = fact.currency
  AND fact.month > ended.contracted_until
JOIN facts.closed_month AS closed ON fact.customer_key = closed.customer_key AND fact.month <= closed.month
WHERE NOT fact.is_billed AND coalesce(fact.one_off_revenue, 0) = 0 AND (fact.is_delivered OR fact.cost > 0)
  AND NOT fact.is_trial AND NOT coalesce(ended.was_not_billable, false)
UNION ALL
SELECT fact.customer_key, fact.service_key, fact.month, fact.currency, ended.contracted_until, ended.last_price,
       CAST(fact.month + INTERVAL '1 month' AS DATE) - line.to_day
FROM ended
JOIN facts.fact_monthly AS fact
  ON ended.customer_key = fact.customer_key AND ended.service_key = fact.service_key AND ended.currency = fact.currency
  AND fact.month = ended.contracted_until
JOIN facts.fact_monthly AS next
  ON ended.customer_key = next.customer_key AND ended.service_key = next.service_key AND ended.currency = next.currency
  AND next.month = CAST(ended.contracted_until + INTERVAL '1 month' AS DATE)
JOIN facts.billed_month AS line
  ON fact.customer_key = line.customer_key AND fact.service_key = line.service_key AND fact.month = line.month AND fact.currency = line.currency
JOIN facts.closed_month AS closed ON next.customer_key = closed.customer_key AND next.month <= closed.month
WHERE line.to_day < fact.month + INTERVAL '1 month' AND fact.is_billed AND fact.is_delivered AND next.is_delivered AND NOT next.is_billed
  AND fact.contracted_quantity < fact.delivered_quantity AND coalesce(fact.one_off_revenue, 0) = 0 AND NOT fact.is_trial
  AND ended.last_price IS NOT NULL AND NOT coalesce(ended.was_not_billable, false)
