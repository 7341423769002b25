-- coverage: expired_contract_served
-- unit: delivered or paid-for months of the quarter
-- grain: customer x service x month x currency
-- meaning: months with a delivery or a cost whose service had a PSA line at some time, and whose billing has run; a service that was never
--   agreed cannot expire
-- reads: facts.fact_monthly, facts.closed_month
WITH agreed AS (SELECT DISTINCT customer_key, service_key FROM facts.fact_monthly WHERE contracted_quantity IS NOT NULL)
SELECT fact.customer_key, fact.service_key, fact.currency,
       CASE WHEN agreed.customer_key IS NULL THEN 'no_contract_line'
            WHEN closed.month IS NULL OR fact.month > closed.month THEN 'billing_has_not_run' END AS untested,
       coalesce(fact.expected_revenue, fact.revenue, fact.cost) AS money
FROM facts.fact_monthly AS fact
LEFT JOIN agreed ON fact.customer_key = agreed.customer_key AND fact.service_key = agreed.service_key
LEFT JOIN facts.closed_month AS closed ON fact.customer_key = closed.customer_key AND fact.service_key = closed.service_key
WHERE fact.month BETWEEN $quarter_start AND $last_month AND (fact.is_delivered OR fact.cost > 0)
