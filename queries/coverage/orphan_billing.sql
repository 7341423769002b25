-- coverage: orphan_billing
-- unit: billed months of the quarter
-- grain: customer x service x month x currency
-- meaning: billed months, if a PSA export is in the lake and its history reaches back to them
-- reads: facts.fact_monthly, facts.psa_history
SELECT fact.customer_key, fact.service_key, fact.currency,
       CASE WHEN psa.first_month IS NULL THEN 'no_contract_source'
            WHEN fact.month < psa.first_month THEN 'before_the_psa_history' END AS untested,
       fact.revenue AS money
FROM facts.fact_monthly AS fact
CROSS JOIN facts.psa_history AS psa
WHERE fact.month BETWEEN $quarter_start AND $last_month AND fact.is_billed
