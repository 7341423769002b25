-- fact: back_billing
-- grain: customer x service
-- meaning: how many months back the newest written terms let the MSP bill, where they say so
-- reads: known.contract_terms
SELECT customer_key, service_key, CAST(first_value(back_billing_months ORDER BY valid_from DESC NULLS LAST) AS BIGINT) AS months
FROM known.contract_terms
WHERE back_billing_months >= 0
GROUP BY customer_key, service_key
