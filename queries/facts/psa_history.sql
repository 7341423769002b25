-- fact: psa_history
-- grain: one row
-- meaning: the first month that the contract lines of a PSA reach back to; empty without a PSA
-- reads: facts.contract_segment
SELECT min(CAST(date_trunc('month', from_day) AS DATE)) AS first_month FROM facts.contract_segment
