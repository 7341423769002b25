-- coverage: psa_change_not_billed
-- unit: billed or agreed months of the quarter
-- grain: customer x service x month x currency
-- meaning: months with a PSA line or written terms, an invoice, and a price of a unit; where no PSA export is in the lake, none
-- reads: facts.fact_monthly, facts.closed_month, facts.contract_segment
WITH psa AS (SELECT count(*) AS contract_lines FROM facts.contract_segment)
SELECT fact.customer_key, fact.service_key, fact.currency,
       CASE WHEN psa.contract_lines = 0 THEN 'no_contract_source'
            WHEN NOT fact.is_billed AND (closed.month IS NULL OR fact.month > closed.month) THEN 'billing_has_not_run'
            WHEN NOT fact.is_billed THEN 'no_invoice'
            WHEN coalesce(fact.price_model, '') NOT IN ('per_unit', 'tiered', 'flat_fee_overage') THEN 'no_unit_price' END AS untested,
       coalesce(fact.revenue, fact.expected_revenue) AS money
FROM facts.fact_monthly AS fact
CROSS JOIN psa
LEFT JOIN facts.closed_month AS closed ON fact.customer_key = closed.customer_key AND fact.service_key = closed.service_key
WHERE fact.month BETWEEN $quarter_start AND $last_month
  AND (fact.is_contracted OR (psa.contract_lines = 0 AND fact.is_billed))
