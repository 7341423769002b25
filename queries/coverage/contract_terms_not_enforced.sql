-- coverage: contract_terms_not_enforced
-- unit: billed months of the quarter
-- grain: customer x service x month x currency
-- meaning: billed months with a PSA line or written terms that say what is due; of a mark-up also what the cost was
-- reads: facts.fact_monthly, facts.contract_segment, facts.closed_month
WITH psa AS (SELECT count(*) AS contract_lines FROM facts.contract_segment)
SELECT fact.customer_key, fact.service_key, fact.currency,
       CASE WHEN NOT fact.is_contracted AND psa.contract_lines = 0 THEN 'no_contract_source'
            WHEN NOT fact.is_contracted THEN 'no_contract_line'
            WHEN fact.expected_revenue IS NULL THEN 'no_unit_price'
            WHEN closed.month IS NULL OR fact.month > closed.month THEN 'billing_has_not_run' END AS untested,
       fact.revenue AS money
FROM facts.fact_monthly AS fact
CROSS JOIN psa
LEFT JOIN facts.closed_month AS closed ON fact.customer_key = closed.customer_key AND fact.service_key = closed.service_key
WHERE fact.month BETWEEN $quarter_start AND $last_month AND fact.is_billed
