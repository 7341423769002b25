-- fact: yield_history
-- grain: customer x service x currency
-- meaning: what a delivered unit usually earns: the median of revenue by delivered quantity over the billed months, for pairs whose
--   price no contract states
-- reads: facts.fact_monthly
SELECT customer_key, service_key, currency, median(exact_quotient(revenue, delivered_quantity)) AS revenue_per_unit, count(*) AS months
FROM facts.fact_monthly
WHERE is_billed AND is_delivered AND revenue > 0 AND month < $quarter_start
GROUP BY customer_key, service_key, currency
