-- coverage: unbilled_delivery
-- unit: delivered or agreed months of the quarter
-- grain: customer x service x month x currency
-- meaning: delivered months whose billing has run; fixed fees aside. Of a service of which nobody says what is delivered, an agreed month says nothing
-- reads: facts.fact_monthly, facts.closed_month
WITH heard AS (
  SELECT DISTINCT service_key FROM facts.fact_monthly WHERE is_delivered AND month BETWEEN $quarter_start AND $last_month
)
SELECT fact.customer_key, fact.service_key, fact.currency,
       CASE WHEN heard.service_key IS NULL THEN 'no_delivery_source'
            WHEN closed.month IS NULL OR fact.month > closed.month THEN 'billing_has_not_run' END AS untested,
       coalesce(fact.expected_revenue, fact.revenue, fact.cost) AS money
FROM facts.fact_monthly AS fact
LEFT JOIN heard ON fact.service_key = heard.service_key
LEFT JOIN facts.closed_month AS closed ON fact.customer_key = closed.customer_key AND fact.service_key = closed.service_key
WHERE fact.month BETWEEN $quarter_start AND $last_month AND coalesce(fact.price_model, '') <> 'flat_fee'
  AND (fact.is_delivered OR (heard.service_key IS NULL AND (fact.is_contracted OR fact.is_billed)))
