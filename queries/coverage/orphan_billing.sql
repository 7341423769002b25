-- coverage: orphan_billing
-- unit: billed months of the quarter
-- grain: customer x service x month x currency
-- meaning: billed months, if a PSA export is in the lake and its history reaches back to them
-- reads: facts.fact_monthly, facts.contract_segment
WITH psa AS (SELECT min(CAST(date_trunc('month', from_day) AS DATE)) AS first_month FROM facts.contract_segment)
SELECT fact.customer_key, fact.service_key, fact.currency,
       CASE WHEN psa.first_month IS NULL THEN 'no_contract_source'
            WHEN fact.month < psa.first_month THEN 'before_the_psa_history' END AS untested,
       fact.revenue AS money
FROM facts.fact_monthly AS fact
CROSS JOIN psa
WHERE fact.month BETWEEN $quarter_start AND $last_month AND fact.is_billed
